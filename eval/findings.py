"""Whether the paper's findings are found again: short sentences made from paired differences, and those differences."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from eval.measured import Sample, Yardstick
from eval.paired import Difference, difference, shares_of_best
from eval.paper_findings import AHEAD, LEVEL, PAPER
from eval.study import ApplicationStudy
from layerwise.schemes import HANDCRAFTED

SHALLOWEST, DEEPEST = "finetune-fc8", "finetune-conv1"
NAMED_SHARE = 0.1  # chosen: of the redraws; depths that are best less often are lumped together
METHOD = (
    "Differences are paired: every run is read in the same redraws of whole groups of the test split. Significant "
    "means that the 95 % interval excludes 0, without a correction for the number of comparisons. The best depth, net "
    "or filling is picked on the groups on which it is then judged, which flatters it."
)


@dataclass(frozen=True)
class Finding:
    """A few sentences on one question, and the numbers behind them as JSON types."""

    question: str
    text: str
    numbers: dict[str, Any] = field(default_factory=dict)


def findings(study: ApplicationStudy) -> list[Finding]:
    """Best depth, from scratch, handcrafted, reduced sets; what lacks its runs says which."""
    return [_depth(study), _scratch(study), _rival(study), *_reduced(study)]


def _depth(study: ApplicationStudy) -> Finding:
    paper, tuned = PAPER[study.application.name], study.samples("finetune")
    if len(tuned) < 2:
        return Finding("depth", "Best depth: fewer than two depths were run.")
    best, shares = study.best(tuned), shares_of_best(tuned, study.yardstick)
    text = f"Best depth: {best}, {study.yardstick.headline} {number_text(tuned[best].headline, study.yardstick)}."
    if shares:
        text += f" It is the best depth in {_shares_text(shares, best)} of the redraws of the test split."
    numbers: dict[str, Any] = {"best": best, "shares_of_best": shares, "against": {}}
    for other in (SHALLOWEST, DEEPEST):
        if other in tuned and other != best:
            apart = difference(tuned[best], tuned[other], study.yardstick)
            text += f" {sentence(best, other, apart, study.yardstick)}"
            numbers["against"][other] = record(apart)
    inside = {name: sample for name, sample in tuned.items() if name in paper.best_depths}
    outside = {name: sample for name, sample in tuned.items() if name not in paper.best_depths}
    text += f" Paper: {paper.depth}."
    if inside and outside:
        first, second = study.best(inside), study.best(outside)
        apart = difference(inside[first], outside[second], study.yardstick)
        text += f" Of the depths it names {sentence(first, second, apart, study.yardstick, 'the best other')}"
        text += f" {_agreement(apart, AHEAD)}"
        numbers["paper"] = {"first": first, "second": second, **record(apart)}
    return Finding("depth", text, numbers)


def _scratch(study: ApplicationStudy) -> Finding:
    paper = PAPER[study.application.name]
    return _against(
        study, "scratch", study.samples("finetune"), study.samples("scratch"), paper.scratch, paper.scratch_expects
    )


def _rival(study: ApplicationStudy) -> Finding:
    paper = PAPER[study.application.name]
    nets = {**study.samples("finetune"), **study.samples("scratch")}
    return _against(study, HANDCRAFTED, nets, study.samples(HANDCRAFTED), paper.rival, paper.rival_expects)


def _against(
    study: ApplicationStudy, question: str, ours: dict[str, Sample], theirs: dict[str, Sample], said: str, expected: str
) -> Finding:
    """The best of ours against the best of theirs, and whether that is what the paper said."""
    if not ours or not theirs:
        return Finding(question, f"Against {question}: runs are missing. Paper: {said}.")
    first, second = study.best(ours), study.best(theirs)
    apart = difference(ours[first], theirs[second], study.yardstick)
    text = f"{sentence(first, second, apart, study.yardstick)} Paper: {said}. {_agreement(apart, expected)}"
    return Finding(question, text, {"first": first, "second": second, **record(apart)})


def _reduced(study: ApplicationStudy) -> list[Finding]:
    """Tuned against scratch on each reduced training set, and what either loses against the whole one."""
    paper = PAPER[study.application.name]
    if not study.fractions:
        return [Finding("reduced", f"Reduced training sets: no run. Paper: {paper.reduced}.")]
    found = [Finding("reduced", f"Reduced training sets. Paper: {paper.reduced}.")]
    for fraction in study.fractions:
        tuned, scratch = study.samples("finetune", fraction), study.samples("scratch", fraction)
        share = f"{100 * fraction:g} %"
        if not tuned or not scratch:
            found.append(Finding(f"reduced to {share}", f"With {share} of the training set: runs are missing."))
            continue
        first, second = study.best(tuned), study.best(scratch)
        apart = difference(tuned[first], scratch[second], study.yardstick)
        text = f"With {share} of the training set {sentence(first, second, apart, study.yardstick)}"
        numbers: dict[str, Any] = {"first": first, "second": second, **record(apart), "against_whole": {}}
        if fraction in paper.reduced_expects:
            text += f" {_agreement(apart, paper.reduced_expects[fraction])}"
        for name, sample in ((first, tuned[first]), (second, scratch[second])):
            if (name, 1.0) in study.cells:
                loss = difference(sample, study.cells[name, 1.0].sample, study.yardstick)
                text += f" {sentence(name, 'itself with the whole set', loss, study.yardstick)}"
                numbers["against_whole"][name] = record(loss)
        found.append(Finding(f"reduced to {share}", text, numbers))
    return found


def sentence(first: str, second: str, apart: Difference, yardstick: Yardstick, of_second: str = "") -> str:
    """`a is ahead of b by 0.120 (0.050 to 0.190), significant.`; of_second: what the second one is."""
    value, low, high = apart.value, apart.low, apart.high
    if value < 0:
        value, low, high = -value, None if high is None else -high, None if low is None else -low
    relation = "level with" if value == 0 else "ahead of" if apart.value > 0 else "behind"
    other = f"{of_second}, {second}," if of_second else second
    by = "" if value == 0 else f" by {number_text(value, yardstick)}"
    if low is None or high is None:
        return f"{first} is {relation} {other}{by}; one group of the test split gives no interval."
    spread = f" ({low:.{yardstick.digits}f} to {high:.{yardstick.digits}f})"
    significant = "significant" if apart.verdict in ("ahead", "behind") else "not significant"
    return f"{first} is {relation} {other}{by}{spread}, {significant}."


def number_text(value: float, yardstick: Yardstick) -> str:
    return f"{value:.{yardstick.digits}f}{yardstick.unit}"


def record(apart: Difference) -> dict[str, Any]:
    return {"better_by": apart.value, "ci95_low": apart.low, "ci95_high": apart.high, "verdict": apart.verdict}


def _agreement(apart: Difference, expected: str) -> str:
    if apart.verdict == "unknown":
        return "This cannot say."
    if expected == LEVEL:
        agrees = apart.verdict == "level"
        return "This agrees: no difference can be shown here either." if agrees else "This does not agree."
    return {
        "ahead": "This agrees.",
        "behind": "This contradicts it.",
        "level": "This neither confirms nor refutes it.",
    }[apart.verdict]


def _shares_text(shares: dict[str, float], best: str) -> str:
    others = sorted((name for name in shares if name != best), key=lambda name: -shares[name])
    named = [name for name in others if shares[name] >= NAMED_SHARE]
    rest = sum(shares[name] for name in others if name not in named)
    parts = [f"{100 * shares[best]:.0f} %", *(f"{name} in {100 * shares[name]:.0f} %" for name in named)]
    return ", ".join([*parts, *([f"others in {100 * rest:.0f} %"] if rest >= 0.005 else [])])
