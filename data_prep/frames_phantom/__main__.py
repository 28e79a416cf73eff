"""python -m data_prep.frames_phantom --out DIR --seed 0 --scale smoke|demo|paper --difficulty 0.5"""

from __future__ import annotations

import argparse
from pathlib import Path

from data_prep.frames_phantom.montage import write_montage
from data_prep.frames_phantom.write import DIFFICULTY, SCALES, generate
from layerwise.errors import exit_code_main


@exit_code_main
def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m data_prep.frames_phantom", description="Make colonoscopies with informative and other frames."
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to make (absent or empty), or the montage file")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--scale", choices=list(SCALES), default="demo")
    parser.add_argument("--difficulty", type=float, default=DIFFICULTY, help=f"0 easy to 1 hard (default {DIFFICULTY})")
    parser.add_argument("--workers", type=int, default=2, help="videos made at the same time (default 2)")
    parser.add_argument("--montage", action="store_true", help="write one picture with frames of every kind instead")
    given = parser.parse_args()
    if given.montage:
        write_montage(given.out, given.seed, given.difficulty)
        print(f"{given.out}: montage (phantom, seed {given.seed})")
        return
    record = generate(given.out, given.seed, given.scale, given.difficulty, given.workers)
    frames = sum(video["frames"] for video in record["videos"])
    informative = sum(video["informative"] for video in record["videos"])
    made = f"{len(record['videos'])} videos, {frames} frames, {informative} informative"
    print(f"{given.out}: {made} (phantom, seed {given.seed})")


if __name__ == "__main__":
    raise SystemExit(main())
