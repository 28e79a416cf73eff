"""The paper's claims over all applications in a few lines: depth, tuning against scratch, nets against rivals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

from eval.findings import Finding

VERDICTS = {
    "ahead": "significantly ahead",
    "level": "not significantly different",
    "behind": "significantly behind",
    "unknown": "without an interval",
}


def overall(answers: Mapping[str, Sequence[Finding]]) -> list[str]:
    """answers: the findings by application. A line for each claim on which there are numbers."""
    of = {name: {finding.question: finding.numbers for finding in found} for name, found in answers.items()}
    lines = [_depths({name: numbers["depth"] for name, numbers in of.items() if numbers["depth"]})]
    for head, question in (
        ("The best depth against the best from scratch", "scratch"),
        ("The best net against the handcrafted rival", "handcrafted"),
    ):
        verdicts = {name: numbers[question]["verdict"] for name, numbers in of.items() if numbers[question]}
        lines.append(_by_verdict(head, verdicts))
    reduced = {
        f"{name} with {question.removeprefix('reduced to ')}": numbers["verdict"]
        for name, questions in of.items()
        for question, numbers in questions.items()
        if question.startswith("reduced to ") and numbers
    }
    lines.append(_by_verdict("Tuning against scratch on reduced training sets", reduced))
    return [line for line in lines if line]


def _depths(numbers: Mapping[str, Mapping[str, Any]]) -> str:
    """The best depth of each application, and how often redraws of all of them would name the same."""
    if not numbers:
        return ""
    shares = [of["shares_of_best"] for of in numbers.values()]
    text = "Best depth: " + "; ".join(f"{name} {_best(of)}" for name, of in numbers.items()) + "."
    if len(shares) < 2 or not all(shares):
        return text
    same = sum(prod(share.get(depth, 0.0) for share in shares) for depth in shares[0])
    return f"{text} If each is redrawn by itself, all name the same depth in {100 * same:.0f} % of the draws."


def _best(depth: Mapping[str, Any]) -> str:
    share = depth["shares_of_best"].get(depth["best"])
    return depth["best"] + (f" (in {100 * share:.0f} % of the redraws)" if share is not None else "")


def _by_verdict(head: str, verdicts: Mapping[str, str]) -> str:
    parts = [
        f"{said}: {', '.join(named)}"
        for verdict, said in VERDICTS.items()
        if (named := [name for name, found in verdicts.items() if found == verdict])
    ]
    return f"{head} is {'; '.join(parts)}." if parts else ""
