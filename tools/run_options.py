"""The options that name a run, shared by the commands that train, predict and report."""

from __future__ import annotations

import argparse
from pathlib import Path

from layerwise.engine import ENGINES


def add_run_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("application", help="polyp, embolism, frames or intima; custom for your own images")
    parser.add_argument("scheme", help="finetune-fc8 ... finetune-conv1, scratch-gaussian, -xavier, -msra")
    parser.add_argument("--engine", choices=ENGINES, default="recaffe", help="who executes (default: recaffe)")
    parser.add_argument("--seed", type=int, default=0, help="of fillers, dropout and Caffe's stream (default: 0)")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where run folders go (default: runs)")
    parser.add_argument("--fraction", type=float, default=1.0, help="of the training set, as given to data_prep")
    parser.add_argument("--data", help="the images, as given to data_prep (default: the phantom, or those of the run)")
