"""How often the 95 % bars of a FROC curve hold the truth: the table of docs/froc_intervals.md.

Detectors are drawn from the IDCA model, with groups (videos, patients) that are more or less alike inside, and the bars
of each draw are asked whether they hold the curve of endless data.
"""

from __future__ import annotations

import argparse

import numpy as np

from eval.bootstrap import percentile_interval, sensitivity_replicates
from eval.froc import froc_curve, sensitivity_at
from eval.froc_simulation import DetectorModel
from eval.idca import fit_idca

GROUPS, IMAGES, LESIONS = 40, 10, 3  # groups, and images and lesions in each
RATES = (0.1, 0.5, 2.0)
SPREADS = (0.0, 0.25, 0.5, 1.0)
ENDLESS_GROUPS = 20_000  # for the truth
REPLICATES = 1000


def truth(model: DetectorModel) -> list[float]:
    matches, _ = model.draw(np.random.default_rng(1), ENDLESS_GROUPS, IMAGES, LESIONS)
    curve = froc_curve(matches, ENDLESS_GROUPS * LESIONS, ENDLESS_GROUPS * IMAGES)
    return [sensitivity_at(curve, rate) for rate in RATES]


def coverage(model: DetectorModel, n_draws: int) -> tuple[np.ndarray, np.ndarray]:
    """The share of draws whose bar holds the truth at each rate, and the mean width of the bars: (2, T), IDCA first."""
    true = np.array(truth(model))
    random = np.random.default_rng(0)
    lesions, images = np.full(GROUPS, LESIONS), np.full(GROUPS, IMAGES)
    held, width = np.zeros((2, len(RATES))), np.zeros((2, len(RATES)))
    for draw in range(n_draws):
        matches, group = model.draw(random, GROUPS, IMAGES, LESIONS)
        fit = fit_idca(matches, GROUPS * LESIONS, GROUPS * IMAGES)
        redrawn = sensitivity_replicates(matches, group, lesions, images, RATES, REPLICATES, seed=draw)
        by_model = np.array([fit.interval_at(rate) for rate in RATES]).T
        for row, (low, high) in enumerate((by_model, percentile_interval(redrawn))):
            held[row] += (low <= true) & (true <= high)
            width[row] += high - low
    return held / n_draws, width / n_draws


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.froc_intervals", description=__doc__)
    parser.add_argument("--draws", type=int, default=500, help="studies drawn for each row (%(default)s)")
    draws = parser.parse_args().draws
    print("| likeness inside groups | bars | " + " | ".join(f"{rate:g} per image" for rate in RATES) + " |")
    print("|---|---|" + "---|" * len(RATES))
    for spread in SPREADS:
        held, width = coverage(DetectorModel(nu=0.9, lambda_=4.0, a=1.5, b=0.9, group_spread=spread), draws)
        for name, row, wide in zip(("IDCA", "groups redrawn"), held, width, strict=True):
            cells = [f"{100 * share:.1f} % (width {size:.3f})" for share, size in zip(row, wide, strict=True)]
            print(f"| {spread:g} | {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
