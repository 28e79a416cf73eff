"""python -m data_prep.polyp_phantom --out DIR --seed 0 --scale smoke|demo|paper --difficulty 0.5"""

from __future__ import annotations

import argparse
from pathlib import Path

from data_prep.polyp_phantom.write import DIFFICULTY, SCALES, generate
from layerwise.errors import exit_code_main


@exit_code_main
def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m data_prep.polyp_phantom", description="Make colonoscopy videos.")
    parser.add_argument("--out", type=Path, required=True, help="folder to make; must be absent, empty or this phantom")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--scale", choices=list(SCALES), default="demo")
    parser.add_argument("--difficulty", type=float, default=DIFFICULTY, help=f"0 easy to 1 hard (default {DIFFICULTY})")
    parser.add_argument("--workers", type=int, default=2, help="videos made at the same time (default 2)")
    given = parser.parse_args()
    record = generate(given.out, given.seed, given.scale, given.difficulty, given.workers)
    frames = sum(video["frames"] for video in record["videos"])
    positive = sum(video["frames_with_polyp"] for video in record["videos"])
    made = f"{len(record['videos'])} videos, {frames} frames, {positive} with a polyp"
    print(f"{given.out}: {made} (phantom, seed {given.seed})")


if __name__ == "__main__":
    raise SystemExit(main())
