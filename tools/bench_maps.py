"""Confidence maps of a region in one pass against patch by patch, on the same pixels: `python -m tools.bench_maps`.

Draws a region of the paper's size (92 x 60 pixels of 60 um) and weights, and lets the worker do both in turns, as
`tools.predict` would. Prints seconds, their ratio and the largest difference of a probability.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from recaffe.proto import text

from data_prep.intima_patches import raster_um
from layerwise.applications import APPLICATIONS
from layerwise.engine import ENGINES, Engine, load_recaffe, open_engine
from layerwise.errors import exit_code_main
from layerwise.files import write_text
from layerwise.net_surgery import fully_convolutional
from layerwise.nets import MEAN_BGR, NetRecord, get_net
from prototxt.alexnet import deploy
from tools.train import DEFAULT_NET

REGION_UM = (60 * 60.0, 92 * 60.0)
SEED = 0


@dataclass(frozen=True)
class Measured:
    """places: of the region's maps. pass_s: of one pass. patch_s: per patch. difference: the largest of P."""

    places: int
    pass_s: float
    patch_s: float
    difference: float

    @property
    def ratio(self) -> float:
        return self.places * self.patch_s / self.pass_s


def measure(engine: Engine, device: str, net: NetRecord, folder: Path, rounds: int) -> Measured:
    """Best of `rounds` passes, and of as many batches of patches about places of the region; files go to `folder`."""
    param = deploy(APPLICATIONS["intima"], net, net.val_batch)
    made = fully_convolutional(param)
    write_text(folder / "deploy.prototxt", text.format(param))
    write_text(folder / "deploy_conv.prototxt", text.format(made.net))
    draw = np.random.default_rng(SEED)
    draw_weights(folder, draw)
    step = made.stride * raster_um(made.context_size)
    shape = tuple(int(um // step) + 1 for um in REGION_UM)
    sides = [made.stride * (n - 1) + made.context_size for n in shape]
    region = draw.integers(0, 256, (3, *sides), np.uint8)
    rows, columns = (draw.integers(0, n, rounds * net.val_batch) for n in shape)
    np.save(folder / "region.npy", region)
    np.save(folder / "patches.npy", [cut_out(region, made, i, j) for i, j in zip(rows, columns, strict=True)])
    job = {
        "deploy": str(folder / "deploy.prototxt"),
        "convolutional": str(folder / "deploy_conv.prototxt"),
        "weights": str(folder / "drawn.caffemodel"),
        "renamed": made.renamed,
        "context_size": made.context_size,
        "stride": made.stride,
        "patches": str(folder / "patches.npy"),
        "regions": rounds * [{"pixels": str(folder / "region.npy"), "maps": str(folder / "maps.npy")}],
        "mean_bgr": MEAN_BGR,
        "device": engine.device(device),
    }
    pass_s: list[float] = []
    engine.run("maps", job, lambda event: pass_s.append(event.get("seconds", np.inf)), folder / "bench.log")
    scores: list[float] = []
    batch_s: list[float] = []
    began = time.monotonic()

    def on_event(event: dict[str, Any]) -> None:
        nonlocal began
        if event["event"] == "scores":
            batch_s.append(time.monotonic() - began)
            scores.extend(event["scores"])
        began = time.monotonic()

    engine.run("predict", job, on_event, folder / "bench.log")
    mapped = np.load(folder / "maps.npy")[1:].sum(axis=0)[rows, columns]
    return Measured(
        places=shape[0] * shape[1],
        pass_s=min(pass_s),
        patch_s=min(batch_s) / net.val_batch,
        difference=float(np.abs(mapped - scores).max()),
    )


def draw_weights(folder: Path, draw: np.random.Generator) -> None:
    """Write drawn.caffemodel for deploy.prototxt: scores that differ from place to place, none near 0 or 1."""
    caffe = load_recaffe()
    caffe.set_mode_cpu()
    net = caffe.Net(str(folder / "deploy.prototxt"), caffe.TEST)
    for weight, bias in net.params.values():
        weight.data[...] = draw.normal(0, np.sqrt(2 / weight.data[0].size), weight.data.shape)
        bias.data[...] = draw.normal(0, 0.1, bias.data.shape)
    net.blobs["data"].data[...] = draw.normal(0, 70, net.blobs["data"].data.shape)
    net.forward()
    fc8 = APPLICATIONS["intima"].fc8
    net.params[fc8][0].data[...] /= np.abs(net.blobs[fc8].data).max()
    net.save(str(folder / "drawn.caffemodel"))


def cut_out(region: np.ndarray, made: Any, row: int, column: int) -> np.ndarray:
    top, left = made.stride * row, made.stride * column
    return region[:, top : top + made.context_size, left : left + made.context_size]


@exit_code_main
def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.bench_maps", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--engine", choices=ENGINES, default="recaffe", help="who executes (default: recaffe)")
    parser.add_argument("--net", default=DEFAULT_NET, help=f"alexnet or alexnet_half (default: {DEFAULT_NET})")
    parser.add_argument("--device", default="auto", help="auto, cpu, gpu or the index of a GPU (default: auto)")
    parser.add_argument("--rounds", type=int, default=4, help="the best of so many counts (default: 4)")
    given = parser.parse_args()
    net = get_net(given.net)
    with tempfile.TemporaryDirectory(prefix="bench-maps-") as folder:
        found = measure(open_engine(given.engine), given.device, net, Path(folder), given.rounds)
    print(
        f"{net.name}, {given.engine}: {found.places} places of a region\n"
        f"  one pass         {found.pass_s:8.3f} s\n"
        f"  patch by patch   {found.places * found.patch_s:8.3f} s ({1 / found.patch_s:.0f} patches/s)\n"
        f"  ratio            {found.ratio:8.1f}\n"
        f"  largest difference of a probability {found.difference:.1e}"
    )


if __name__ == "__main__":
    sys.exit(main())
