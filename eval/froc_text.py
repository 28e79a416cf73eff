"""The numbers of `python -m eval.froc` for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def table(result: dict[str, Any]) -> str:
    """result: as `froc_summary.summary`, with the hit criterion."""
    lines = [
        f"{result['n_images']} images in {result['n_groups']} groups, {result['n_lesions']} lesions, "
        f"hit criterion {result['hit_criterion']}"
    ]
    for name, system in (("a", result), ("b", result.get("b"))):
        if system is not None:
            lines += ["", *_system_lines(system, f"system {name}: " if "b" in result else "")]
    if "comparison" in result:
        lines += ["", *_comparison_lines(result["comparison"])]
    return "\n".join(line.rstrip() for line in lines)


def _system_lines(system: dict[str, Any], name: str) -> list[str]:
    groups, idca = system["ci95_group"], system["idca"]
    lines = [
        f"{name}{system['n_lesions_found']} lesions found by {system['n_candidates']} candidates, "
        f"{system['n_false_positives']} of them false",
        f"{'fps per image':>13}  sensitivity  95 % (groups)   95 % (IDCA)",
    ]
    for rate, sensitivity in system["sensitivity_at"].items():
        by_group = groups["sensitivity_at"][rate] if groups else None
        lines.append(
            f"{rate:>13}  {sensitivity:11.3f}  {_interval(by_group)}  {_interval(idca['ci95'][rate] if idca else None)}"
        )
    lines.append(f"{'sensitivity':>13}  fps / image  95 % (groups)")
    for value, rate in system["fps_per_image_at"].items():
        by_group = groups["fps_per_image_at"][value] if groups else None
        lines.append(f"{value:>13}  {_number(rate, none='never'):>11}  {_interval(by_group, none='never')}")
    for key, label in (("cpm", "CPM"), ("camelyon16", "Camelyon16")):
        lines.append(f"{label:>13}  {system[key]:11.3f}  {_interval(groups[key] if groups else None)}")
    for key, label in (("afroc", "AFROC"), ("wafroc", "wAFROC")):
        jackknife = system[f"{key}_jackknife"]
        by_group = jackknife["ci95_groups"] if jackknife else None
        lines.append(f"{label:>13}  {_number(system[key]):>11}  {_interval(by_group)}")
    lines.append(f"{'candidate AUC':>13}  {_number(system['auc_candidates']):>11}")
    return lines + [f"note: {note}" for note in system["notes"]]


def _comparison_lines(comparison: dict[str, Any]) -> list[str]:
    lines = [
        "b - a",
        f"{'fps per image':>13}   difference  95 % (groups)   p exchange  (Holm)   p redraw  (Holm)   IDCA bars",
    ]
    overlap = {None: "no fit", True: "overlap", False: "apart"}
    for rate, test in comparison["sensitivity_at"].items():
        p_redraw, p_redraw_holm = _number(test["p_group_bootstrap"], 4), _number(test["p_group_bootstrap_holm"], 4)
        lines.append(
            f"{rate:>13}  {test['difference']:+11.3f}  {_interval(test['ci95_group'])}  "
            f"{test['p_permutation']:10.4f}  {test['p_permutation_holm']:6.4f}  {p_redraw:>9}  {p_redraw_holm:>6}   "
            f"{overlap[test['idca_bars_overlap']]}"
        )
    for key, label in (("cpm", "CPM"), ("camelyon16", "Camelyon16")):
        test = comparison[key]
        lines.append(
            f"{label:>13}  {test['difference']:+11.3f}  {_interval(test['ci95_group'])}  "
            f"{test['p_permutation']:10.4f}          {_number(test['p_group_bootstrap'], 4):>9}"
        )
    return lines


def _number(value: float | None, digits: int = 3, none: str = "-") -> str:
    return none if value is None else f"{value:.{digits}f}"


def _interval(ends: Sequence[float | None] | None, none: str = "-") -> str:
    return f"{'-':^14}" if ends is None else f"{_number(ends[0], none=none)} .. {_number(ends[1], none=none):<5}"
