"""Make the embedded source weights, and measure them.

python -m tools.source_weights          databases, prototxt, training; writes models/alexnet_half_fractal
python -m tools.source_weights probe    linear classifiers on the features of --weights; `none` is a random net
python -m tools.source_weights show     pictures of the source images and of the filters of conv1

The first needs about an hour on two cores and is a function of the seeds and of torch's version.
"""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from layerwise.engine import load_recaffe
from layerwise.errors import ModelError, exit_code_main
from layerwise.files import file_digest, write_text
from layerwise.weights import NO_WEIGHTS
from tools.source_images.database import make_databases
from tools.source_images.features import PROBED, open_features
from tools.source_images.nets import NET, SEED, write_prototxt
from tools.source_images.pictures import filters_picture, scenes_picture, write_picture
from tools.source_images.probe import probe, tasks
from tools.source_images.training import train

MODEL = Path("models/alexnet_half_fractal")
WEIGHTS = MODEL / "alexnet_half_fractal.caffemodel"
DATA = Path("data/source")
PICTURES = Path("docs/images")
HISTORY_ROWS = 20
PROBE_SEED = 0


@dataclass(frozen=True)
class Amounts:
    """How much of everything. members: silhouettes and tiles a class, which scenes place, colour and light anew."""

    train_images: int = 24_000  # chosen: 1.3 GB on disk, made in five minutes
    val_images: int = 1_000
    members: int = 16
    max_iter: int = 9_000  # chosen: 288,000 images, twelve passes; twenty minutes on two free cores


def make(model: Path, data: Path, amounts: Amounts) -> None:
    """Databases in `data`, prototxt and weights in `model`; the sums in its readme are set to the new file's."""
    counts = {"train": amounts.train_images, "val": amounts.val_images}
    make_databases(data, counts, amounts.members, NET.input_size, SEED)
    solver = write_prototxt(model, data, amounts.max_iter, amounts.val_images)
    weights = model / f"{model.name}.caffemodel"
    last = train(
        load_recaffe(),
        solver,
        model / "deploy.prototxt",
        weights,
        data / "history.csv",
        max(1, amounts.max_iter // HISTORY_ROWS),
    )
    if (readme := model / "readme.md").is_file():
        state_sums(readme, weights)
    print(f"{weights}: " + ", ".join(f"{key} {value:.4g}" for key, value in last.items()))


def state_sums(readme: Path, weights: Path) -> None:
    """Set `sha1` and `sha256` in a zoo readme's front matter to those of `weights`; ModelError if it lacks them."""
    text = readme.read_text(encoding="utf-8")
    for algorithm in ("sha1", "sha256"):
        line = f"{algorithm}: {file_digest(weights, algorithm)}"
        text, changed = re.subn(rf"^{algorithm}:.*$", line, text, count=1, flags=re.MULTILINE)
        if not changed:
            raise ModelError(f"{readme}: its front matter has no line `{algorithm}:`; add it")
    write_text(readme, text)


def print_probe(weights: str) -> None:
    features = open_features(load_recaffe(), None if weights == NO_WEIGHTS else Path(weights), PROBE_SEED)
    print(f"accuracy of a linear classifier on the features of {weights}")
    print("| task | " + " | ".join(PROBED) + " |\n|---|" + "---|" * len(PROBED))
    for name, task in tasks(NET.input_size, PROBE_SEED).items():
        accuracy = probe(task, features)
        print(f"| {name} | " + " | ".join(f"{accuracy[layer]:.3f}" for layer in PROBED) + " |", flush=True)


def show(weights: Path, folder: Path) -> None:
    """Write a sheet of source images and the filters of conv1 to `folder`."""
    caffe = load_recaffe()
    net = caffe.Net(str(MODEL / "deploy.prototxt"), str(weights), caffe.TEST)
    write_picture(folder / "source_scenes.jpg", scenes_picture(SEED, NET.input_size))
    write_picture(folder / "source_conv1.png", filters_picture(net.params["conv1"][0].data))


@exit_code_main
def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tools.source_weights", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("verb", nargs="?", default="make", choices=("make", "probe", "show"))
    parser.add_argument("--weights", default=str(WEIGHTS), help="probe, show: a caffemodel; probe: or `none`")
    options = parser.parse_args()
    if options.verb == "make":
        make(MODEL, DATA, Amounts())
    elif options.verb == "probe":
        print_probe(options.weights)
    else:
        show(Path(options.weights), PICTURES)


if __name__ == "__main__":
    sys.exit(main())
