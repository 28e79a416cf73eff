"""The numbers of `python -m eval.roc` for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def table(result: dict[str, Any]) -> str:
    """result: as `roc_summary.summary`."""
    lines = [
        f"{result['n']} rows in {result['n_groups']} groups: {result['n_positive']} positive, "
        f"{result['n_negative']} negative"
    ]
    for name, system in (("a", result), ("b", result.get("b"))):
        if system is not None:
            lines += ["", *_system_lines(system, f"system {name}: " if "b" in result else "")]
    if "b" in result:
        lines += ["", *_comparison_lines(result)]
    return "\n".join([*(line.rstrip() for line in lines), *(f"note: {note}" for note in result["notes"])])


def _system_lines(system: dict[str, Any], name: str) -> list[str]:
    partial = system["partial_auc"]
    lines = [
        f"{name}area {system['auc']:.4f}",
        f"  95 % DeLong      {_interval(system['auc_ci95_delong'], 4)}",
        f"  95 % Obuchowski  {_interval(system['auc_ci95_obuchowski'], 4)}   groups",
        f"  95 % redraws     {_interval(system['auc_ci95_group'], 4)}   groups",
        f"  up to FPR {partial['max_fpr']:g}, standardised: {partial['standardised']:.4f}",
        f"{'at most FPR':>13}  sensitivity  95 % (groups)    threshold  FPR there",
    ]
    for rate, point in system["sensitivity_at_fpr"].items():
        lines.append(
            f"{rate:>13}  {point['sensitivity']:11.3f}  {_interval(point['ci95_group'])}  "
            f"{_number(point['threshold'], 4):>10}  {point['false_positive_rate']:9.3f}"
        )
    if system["transfer"] is not None:
        lines.append("thresholds chosen on validation:")
        lines.append(f"{'at most FPR':>13}   threshold   sensitivity (95 %, groups)    FPR (95 %, groups)")
        for rate, point in system["transfer"].items():
            lines.append(
                f"{rate:>13}  {_number(point['threshold'], 4):>10}   "
                f"{point['sensitivity']:.3f}  {_interval(point['sensitivity_ci95_group'])}   "
                f"{point['false_positive_rate']:.3f}  {_interval(point['false_positive_rate_ci95_group'])}"
            )
    if system["calibration"] is not None:
        found = system["calibration"]
        interval = _interval(found["ci95_group"], 4).strip()
        lines.append(
            f"Brier score {found['brier']:.4f} ({interval}, groups); always saying the share of positives: "
            f"{found['brier_base_rate']:.4f}"
        )
    return lines


def _comparison_lines(result: dict[str, Any]) -> list[str]:
    by_group = _interval(result["auc_difference_ci95_group"], 4)
    lines = [
        f"b - a: area {result['auc_difference']:+.4f}, 95 % (groups) {by_group}",
        f"  p DeLong {_number(result['p_delong_paired'], 4)}, "
        f"p Obuchowski {_number(result['p_obuchowski_paired'], 4)} (groups), "
        f"p redraws {_number(result['p_group_bootstrap'], 4)} (groups)",
        f"{'at most FPR':>13}   difference  95 % (groups)    p redraws  (Holm)",
    ]
    for rate, test in result["sensitivity_difference_at_fpr"].items():
        lines.append(
            f"{rate:>13}  {test['difference']:+11.3f}  {_interval(test['ci95_group'])}  "
            f"{_number(test['p_group_bootstrap'], 4):>10}  {_number(test['p_group_bootstrap_holm'], 4):>6}"
        )
    return lines


def _number(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _interval(ends: Sequence[float] | None, digits: int = 3) -> str:
    """As wide with numbers as without."""
    low, high = ("-", "-") if ends is None else (f"{end:.{digits}f}" for end in ends)
    return f"{low:>{digits + 3}} .. {high:<{digits + 3}}"
