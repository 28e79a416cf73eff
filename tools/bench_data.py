"""Images per second into an LMDB: this builder against real Caffe's convert_imageset, on the same images and cores.

    python -m tools.bench_data                  two cores, five rounds, the two in turn

Two forms. "whole": JPEG frames of 500 x 350, each resized to one patch as `convert_imageset --resize_width=227
--resize_height=227` does. "crops": 20 crops of each frame, as `frames` cuts them; convert_imageset cannot cut, so for
it the crops lie ready as PNG files, which keep every pixel. Only its reading of them is counted, not their making.

Each side is timed as one command from its start to its end. Then every key and Datum of the two databases is compared.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import cv2
import lmdb
import numpy as np

from data_prep import frames_patches
from data_prep.databases import PlannedPatch, build_databases, patch_key
from data_prep.parallel import available_cores
from data_prep.polyp_readers import read_image_rgb
from layerwise.errors import DataError, EngineError, UsageError, exit_code_main

ROOT = Path(__file__).resolve().parents[1]
FORMS = ("whole", "crops")
SIZE, WIDTH, HEIGHT, CROPS = 227, 500, 350, 20  # the paper's patches, frames, and crops of a frame
AIM = 1.7
BUILD = "import sys; from tools import bench_data; bench_data.build(*sys.argv[1:])"


@dataclass(frozen=True)
class Round:
    """Of one command: seconds by the clock, and of all its processes on the cores."""

    wall_s: float
    cpu_s: float


def convert_imageset() -> list[str]:
    """How real Caffe's tool is started. EngineError if it is not there."""
    run = ROOT / ".caffe" / "run"
    if run.is_file():
        return [str(run), "convert_imageset"]
    if tool := shutil.which("convert_imageset"):
        return [tool]
    raise EngineError(f"convert_imageset is not there: neither {run} nor on the PATH. Run `make caffe`.")


def make_images(folder: Path, form: str, n: int, seed: int = 0) -> None:
    """Frames as JPEG in folder/frames, for "crops" also n crops as PNG in folder/crops, and the list folder/list.txt.

    The list is what convert_imageset takes, a name and a label a line. A crop's name tells where it was cut.
    """
    rng = np.random.default_rng(seed)
    noise = rng.uniform(0, 255, (HEIGHT, WIDTH, 3)).astype(np.float32)
    # As in endoscopy: broad shades, folds, vessels, and the sensor's grain.
    scene = np.sum([sigma * cv2.GaussianBlur(noise, (0, 0), sigma) for sigma in (0.7, 2, 6, 20)], axis=0)
    scene = cv2.normalize(scene, np.empty_like(scene), 5, 250, cv2.NORM_MINMAX).astype(np.uint8)
    names = []
    for name in ("frames", "crops"):
        (folder / name).mkdir(parents=True)
    for number in range(n if form == "whole" else -(-n // CROPS)):
        frame = folder / "frames" / f"{number:06d}.jpg"
        cv2.imwrite(str(frame), np.roll(scene, rng.integers(0, WIDTH, 2).tolist(), (0, 1)))
        if form == "whole":
            names.append(frame.name)
            continue
        stored = cv2.cvtColor(read_image_rgb(frame), cv2.COLOR_RGB2BGR)
        for _ in range(min(CROPS, n - len(names))):
            x0, y0 = int(rng.integers(WIDTH - SIZE + 1)), int(rng.integers(HEIGHT - SIZE + 1))
            names.append(f"{frame.stem}-{x0}-{y0}.png")
            cv2.imwrite(str(folder / "crops" / names[-1]), stored[y0 : y0 + SIZE, x0 : x0 + SIZE])
    (folder / "list.txt").write_text("".join(f"{name} {label % 2}\n" for label, name in enumerate(names)))


def convert_command(folder: Path, form: str, database: Path) -> list[str]:
    images = folder / ("frames" if form == "whole" else "crops")
    resize = [f"--resize_width={SIZE}", f"--resize_height={SIZE}"] if form == "whole" else []
    return [*convert_imageset(), *resize, f"{images}/", str(folder / "list.txt"), str(database)]


def resized(path: Path, specs: Sequence[None], size: int) -> Iterator[np.ndarray]:
    """The whole image as one patch, resized as convert_imageset does: bilinear, without regard to its shape."""
    patch = cv2.resize(read_image_rgb(path), (size, size))
    return (patch for _ in specs)


def build(folder: str, form: str, target: str, workers: str) -> None:
    """The same records by `build_databases`, as its train split; this is the command that is timed."""
    frames, planned = Path(folder) / "frames", []
    for position, line in enumerate((Path(folder) / "list.txt").read_text().splitlines()):
        name, label = line.split()
        stem, *corner = Path(name).stem.split("-")
        spec: Any = tuple(int(value) for value in corner) or None
        planned.append(PlannedPatch(patch_key(position, name), int(label), stem, stem, {"frame_id": stem}, spec))
    sources = {patch.source_id: frames / f"{patch.source_id}.jpg" for patch in planned}
    cut = resized if form == "whole" else frames_patches.cut
    plan = {"train": planned, "val": [], "test": []}
    build_databases(plan, sources, cut, Path(target), size=SIZE, facts={}, workers=int(workers))


def timed(command: Sequence[str]) -> Round:
    """Run a command to its end. EngineError, with what it said, if it fails."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    wall = time.monotonic() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if ended.returncode != 0:
        raise EngineError(f"{' '.join(command[:3])} ... failed:\n{ended.stderr[-2000:]}")
    return Round(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def compare(ours: Path, theirs: Path) -> int:
    """How many records there are. DataError for the first whose key or serialised Datum differs by a byte."""
    n = 0
    for a, b in zip_longest(_records(ours), _records(theirs)):
        if a is None or b is None or a[0] != b[0]:
            keys = [record[0].decode() if record else "no record" for record in (a, b)]
            raise DataError(f"record {n}: {keys[0]} here, {keys[1]} in convert_imageset's database")
        if a[1] != b[1]:
            raise DataError(f"{a[0].decode()}: the Datum has other bytes than convert_imageset's")
        n += 1
    return n


def _records(database: Path) -> Iterator[tuple[bytes, bytes]]:
    with lmdb.open(str(database), readonly=True, lock=False) as environment, environment.begin() as txn:
        yield from txn.cursor()


def measure(folder: Path, form: str, n: int, rounds: int, workers: int) -> tuple[list[tuple[Round, Round]], int]:
    """(Caffe, ours) of every round, the two in turn; and how many Datums of the last databases are the same."""
    make_images(folder, form, n)
    ours, theirs = folder / "ours", folder / "theirs"
    pairs = []
    for _ in range(rounds):
        for made in (ours, theirs):
            shutil.rmtree(made, ignore_errors=True)
        caffe = timed(convert_command(folder, form, theirs))
        own = timed([sys.executable, "-c", BUILD, str(folder), form, str(ours), str(workers)])
        pairs.append((caffe, own))
    return pairs, compare(ours / "train_lmdb", theirs)


def report(form: str, n: int, pairs: Sequence[tuple[Round, Round]], n_same: int) -> str:
    """Medians, and the ratio of each round's pair."""
    ratios = [caffe.wall_s / own.wall_s for caffe, own in pairs]
    ratio = statistics.median(ratios)
    lines = [f"{form}, {n} images of {SIZE} x {SIZE}, median of {len(pairs)} rounds:"]
    for name, side in (("real Caffe", 0), ("this builder", 1)):
        wall, cpu = (statistics.median(getattr(pair[side], what) for pair in pairs) for what in ("wall_s", "cpu_s"))
        lines.append(f"  {name:12}  {n / wall:6.0f} images/s  {1e3 * cpu / n:5.2f} ms of a core per image")
    lines.append(f"  ratio {ratio:.2f} ({min(ratios):.2f} to {max(ratios):.2f}), aimed for: {AIM} on two cores")
    lines.append(f"  {n_same} records compared: keys and serialised Datums are the same byte for byte")
    return "\n".join(lines)


@exit_code_main
def main() -> None:
    parser = argparse.ArgumentParser("python -m tools.bench_data", description="Databases: speed against real Caffe.")
    parser.add_argument("--images", type=int, default=3000, help="records of each form (default 3000: 1.5 GB of disk)")
    parser.add_argument("--rounds", type=int, default=5, help="of each side (default 5)")
    parser.add_argument("--cores", type=int, default=2, help="that both sides may use (default 2)")
    parser.add_argument("--form", choices=FORMS, help="only this one")
    given = parser.parse_args()
    if given.images < 1 or given.rounds < 1 or not 1 <= given.cores <= available_cores():
        raise UsageError(f"expected --images and --rounds of 1 or more, --cores of 1 to {available_cores()}")
    convert_imageset()
    cores = sorted(os.sched_getaffinity(0))[: given.cores]
    os.sched_setaffinity(0, cores)
    print(f"{len(cores)} cores; {os.getloadavg()[0]:.1f} processes were running in the last minute", flush=True)
    for form in [given.form] if given.form else FORMS:
        with tempfile.TemporaryDirectory() as folder:
            measured = measure(Path(folder), form, given.images, given.rounds, len(cores))
        print(report(form, given.images, *measured), flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
