"""python -m data_prep.intima_phantom --out DIR --seed 0 --scale smoke|demo|paper --difficulty 0.7"""

from __future__ import annotations

import argparse
from pathlib import Path

from data_prep.intima_phantom.write import DIFFICULTY, SCALES, generate
from layerwise.errors import exit_code_main


@exit_code_main
def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m data_prep.intima_phantom", description="Make carotid ultrasound.")
    parser.add_argument("--out", type=Path, required=True, help="folder to make; must be absent, empty or this phantom")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--scale", choices=list(SCALES), default="demo")
    parser.add_argument("--difficulty", type=float, default=DIFFICULTY, help=f"0 easy to 1 hard (default {DIFFICULTY})")
    parser.add_argument("--workers", type=int, default=2, help="subjects made at the same time (default 2)")
    given = parser.parse_args()
    record = generate(given.out, given.seed, given.scale, given.difficulty, given.workers)
    regions = sum(subject["regions"] for subject in record["subjects"])
    print(f"{given.out}: {len(record['subjects'])} subjects, {regions} regions (phantom, seed {given.seed})")


if __name__ == "__main__":
    raise SystemExit(main())
