"""Seconds and memory of a FROC curve and its bars, beside MONAI and picai_eval where a Python has them.

    python -m tools.bench_eval [--peers /an/environment/bin/python]

The two peers are no dependencies of this project: make an environment of their own (pip install monai picai_eval) and
name its Python. They draw one curve; neither has bars that respect groups.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from eval.bootstrap import fps_per_image_replicates, sensitivity_replicates
from eval.froc import Matches, froc_curve
from eval.idca import fit_idca
from layerwise.errors import exit_code_main

CANDIDATES, GROUPS, LESIONS, IMAGES = 100_000, 200, 2_000, 10_000
REPLICATES = 10_000
RATES = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
PEER_CANDIDATES = 20_000  # chosen: the peers' work grows with the square of it
ROUNDS = 3

# Runs in the peers' Python: the scores of false positives and of lesions (0 for a miss), and how many images.
PEER = """
import json, sys, time
import numpy as np
data = np.load(sys.argv[1])
false, found, images = data["false"], data["found"], int(data["images"])
seconds = {}
def measure(name, work):
    times = []
    for _ in range(int(sys.argv[2])):
        began = time.perf_counter(); work(); times.append(time.perf_counter() - began)
    seconds[name] = min(times)
try:
    import monai
    from monai.metrics.froc import compute_froc_curve_data
    measure("MONAI " + monai.__version__, lambda: compute_froc_curve_data(false, found, len(found), images))
except ImportError as error:
    seconds["MONAI"] = str(error)
try:
    from importlib.metadata import version
    from picai_eval import Metrics
    cases = {i: [] for i in range(images)}
    for i, score in enumerate(found): cases[i % images].append((1, float(score), 1.0))
    for i, score in enumerate(false): cases[i % images].append((0, float(score), 0.0))
    measure("picai_eval " + version("picai_eval"), lambda: Metrics(cases).calculate_counts())
except ImportError as error:
    seconds["picai_eval"] = str(error)
print(json.dumps(seconds))
"""


def study(n_candidates: int) -> tuple[Matches, np.ndarray, np.ndarray, np.ndarray]:
    """Matches, group of each, lesions and images per group; scores in (0, 1), all different."""
    random = np.random.default_rng(0)
    home = random.integers(0, GROUPS, LESIONS)
    lesion = np.where(random.random(n_candidates) < 0.1, random.integers(0, LESIONS, n_candidates), -1)
    group = np.where(lesion >= 0, home[lesion], random.integers(0, GROUPS, n_candidates))
    score = 1 / (1 + np.exp(-random.normal(size=n_candidates) - 1.5 * (lesion >= 0)))
    return (
        Matches(score, lesion),
        group,
        np.bincount(home, minlength=GROUPS),
        np.full(GROUPS, IMAGES // GROUPS),
    )


def seconds(work: Callable[[], object]) -> float:
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)


def peers(python: Path) -> dict[str, float | str]:
    """Seconds of one curve by name, or why there are none."""
    matches, *_ = study(PEER_CANDIDATES)
    found = np.zeros(LESIONS)
    found[matches.lesion[matches.first_hits]] = matches.score[matches.first_hits]
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "scores.npz"
        np.savez(data, false=matches.score[matches.false], found=found, images=IMAGES)
        command = [str(python), "-W", "ignore", "-c", PEER, str(data), str(ROUNDS)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return {str(python): done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "failed"}
    return json.loads(done.stdout.splitlines()[-1])


@exit_code_main
def main() -> int | None:
    parser = argparse.ArgumentParser(
        prog="python -m tools.bench_eval", description="Seconds of a FROC curve and its bars."
    )
    parser.add_argument("--peers", type=Path, metavar="PYTHON", help="a Python that has monai or picai_eval")
    arguments = parser.parse_args()

    whole = study(CANDIDATES)
    matches = whole[0]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    rows: list[tuple[str, float | str]] = [
        (f"one curve, {CANDIDATES:,} candidates", seconds(lambda: froc_curve(matches, LESIONS, IMAGES))),
        ("IDCA fitted to them", seconds(lambda: fit_idca(matches, LESIONS, IMAGES))),
        (
            f"{REPLICATES:,} redraws of {GROUPS} groups, sensitivity at {len(RATES)} rates",
            seconds(lambda: sensitivity_replicates(*whole, RATES, REPLICATES)),
        ),
        (
            f"{REPLICATES:,} redraws, rate at 4 sensitivities",
            seconds(lambda: fps_per_image_replicates(*whole, (0.5, 0.7, 0.8, 0.9), REPLICATES)),
        ),
    ]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    rows.append((f"one curve, {PEER_CANDIDATES:,} candidates", one_curve_of_peers_size()))
    if arguments.peers:
        rows += [(f"the same by {name}", value) for name, value in peers(arguments.peers).items()]
    print(f"Python {sys.version.split()[0]}, NumPy {np.__version__}, {os.cpu_count()} cores, best of {ROUNDS}\n")
    print("| what | seconds |\n|---|---|")
    for name, value in rows:
        print(f"| {name} | {value if isinstance(value, str) else f'{value:.3f}'} |")
    print(f"\nmemory: {peak / 1024:.0f} MB at the most, {before / 1024:.0f} MB of it before the first curve")


def one_curve_of_peers_size() -> float:
    matches, *_ = study(PEER_CANDIDATES)
    return seconds(lambda: froc_curve(matches, LESIONS, IMAGES))


if __name__ == "__main__":
    sys.exit(main())
