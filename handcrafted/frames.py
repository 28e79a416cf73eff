"""The rival of `frames`: how far a frame is from its copy rebuilt of few cosine coefficients, pooled, and a forest.

Source: Tajbakhsh, Chi, Sharma, Wu, Gurudu, Liang 2014, "Automatic assessment of image informativeness in colonoscopy"
(and US patent 9,978,142): each cell of a grid is transformed and rebuilt, histograms of the difference from the frame
and from its parts go to a probabilistic classifier. What is blurred or flooded can be rebuilt, a clear wall cannot.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from scipy import fft
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score

from data_prep.frames_index import FOLDER
from data_prep.parallel import ordered_map
from data_prep.polyp_readers import read_image_rgb
from handcrafted.rival import SCORES, Rated, RivalInputs
from layerwise.files import read_csv

COLUMNS = ("key", "group_id", "label", "score", "frame_id")


@dataclass(frozen=True)
class Rebuilding:
    """The side of a cell in pixels, and the share of its coefficients, the largest, of which it is rebuilt."""

    cell_px: int
    kept: float


# chosen, all of them: on phantoms of seeds 1 and 2. The phantom of seed 0, on which results are shown, was not looked
# at. Which rebuilding is used, the validation frames of the data set at hand decide; the source's are not known to us.
REBUILDINGS = tuple(itertools.starmap(Rebuilding, itertools.product((8, 16), (1 / 32, 1 / 8))))
SHORT_SIDES_PX = (350, 175, 88)  # the frame is described at three sizes: at the finest, noise hides mild blur
PARTS = (1, 2)  # histograms of the whole frame, and of its quarters
LEVELS = (0.25, 0.5, 1, 1.5, 2, 3, 4, 6, 8, 12, 16, 24, 32)  # grey levels between the bins of a histogram
TREES = 300


def rate(inputs: RivalInputs) -> Rated:
    """Fit on the frames with a patch in train, choose on those with one in val only, rate those of test.

    The score is the forest's probability of "informative". The same seed gives the same scores for any number of
    workers. Raises DataError if a frame cannot be read any more.
    """
    frames = _frames(inputs)
    labels = {split: np.array([int(row["label"]) for row in rows]) for split, rows in frames.items()}
    candidates = REBUILDINGS if frames["val"] else REBUILDINGS[:1]
    train, val = np.split(_described(frames["train"] + frames["val"], candidates, inputs), [len(frames["train"])])
    forests = [_forest(inputs.seed).fit(train[:, k], labels["train"]) for k in range(len(candidates))]
    val_auc = [float(roc_auc_score(labels["val"], _score(f, val[:, k]))) for k, f in enumerate(forests) if len(val)]
    best = int(np.argmax(val_auc)) if val_auc else 0
    test = _described(frames["test"], candidates[best : best + 1], inputs)
    return Rated(
        SCORES,
        COLUMNS,
        [
            {"key": row["frame_id"], **{name: row[name] for name in COLUMNS if name in row}, "score": f"{score:.9g}"}
            for row, score in zip(frames["test"], _score(forests[best], test[:, 0]), strict=True)
        ],
        {
            "description": "histograms of the error of frames rebuilt of few cosine coefficients, and a random forest",
            "fitted_on": {split: len(frames[split]) for split in ("train", "val")},
            "chosen": asdict(candidates[best]),
            "val_auc": val_auc[best] if val_auc else None,
            "val_auc_of": [{**asdict(c), "val_auc": a} for c, a in zip(candidates, val_auc, strict=False)],
        },
    )


def rebuilding_error(grey: np.ndarray, rebuilding: Rebuilding) -> np.ndarray:
    """|frame - frame rebuilt|, float32, of a (H, W) float32 image; incomplete cells at its end are left out."""
    side = rebuilding.cell_px
    height, width = (length // side for length in grey.shape)
    cells = grey[: height * side, : width * side].reshape(height, side, width, side).swapaxes(1, 2)
    coefficients = np.asarray(fft.dctn(cells, axes=(2, 3), norm="ortho"))
    size = np.abs(coefficients).reshape(height, width, -1)
    n_kept = max(1, round(rebuilding.kept * side**2))
    least = np.partition(size, side**2 - n_kept, axis=2)[..., side**2 - n_kept]
    # The cosines that are left out are the difference itself.
    left_out = np.where(np.abs(coefficients) >= least[..., None, None], 0, coefficients)
    difference = np.abs(np.asarray(fft.idctn(left_out, axes=(2, 3), norm="ortho")))
    return difference.swapaxes(1, 2).reshape(height * side, width * side)


def histograms(error: np.ndarray, parts: int) -> np.ndarray:
    """Shares of the pixels in every bin, (parts * parts, len(LEVELS) + 1) float64, of `parts` x `parts` equal parts."""
    height, width = error.shape
    n_bins = len(LEVELS) + 1
    bins = np.searchsorted(np.array(LEVELS, np.float32), error.ravel(), side="right").reshape(error.shape)
    part = (np.arange(height) * parts // height)[:, None] * parts + np.arange(width) * parts // width
    counts = np.bincount((part * n_bins + bins).ravel(), minlength=parts**2 * n_bins).reshape(parts**2, n_bins)
    return counts / counts.sum(axis=1, keepdims=True)


def describe(image_rgb: np.ndarray, rebuilding: Rebuilding) -> np.ndarray:
    """The features of a (H, W, 3) uint8 frame, (210,) float32: every histogram at every size."""
    grey = cv2.cvtColor(image_rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
    found = []
    for short_side in SHORT_SIDES_PX:
        factor = short_side / min(grey.shape)
        target = tuple(max(short_side, round(length * factor)) for length in reversed(grey.shape))
        method = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
        error = rebuilding_error(cv2.resize(grey, target, interpolation=method), rebuilding)
        found += [histograms(error, parts).ravel() for parts in PARTS]
    return np.concatenate(found).astype(np.float32)


def describe_file(path: Path, rebuildings: Sequence[Rebuilding]) -> np.ndarray:
    """`describe` of one image file by each rebuilding, (K, 210)."""
    image_rgb = read_image_rgb(path)
    return np.stack([describe(image_rgb, rebuilding) for rebuilding in rebuildings])


def _frames(inputs: RivalInputs) -> dict[str, list[dict[str, str]]]:
    """Rows of frames.csv, in its order, by what the database uses the frame for.

    Where patches of one frame are in train and val (validation at patch level), no frame is left to choose on.
    """
    used: dict[str, set[str]] = defaultdict(set)
    for row in read_csv(inputs.database / "patches.csv"):
        used[row["split"]].add(row["frame_id"])
    used["val"] -= used["train"]
    table = read_csv(inputs.dataset_dir / FOLDER / "frames.csv")
    return {split: [row for row in table if row["frame_id"] in used[split]] for split in ("train", "val", "test")}


def _described(rows: list[dict[str, str]], rebuildings: Sequence[Rebuilding], inputs: RivalInputs) -> np.ndarray:
    paths = [inputs.dataset_dir / row["path"] for row in rows]
    work = partial(describe_file, rebuildings=rebuildings)
    return np.array(list(ordered_map(work, paths, inputs.workers, "frames described")))


def _forest(seed: int) -> RandomForestClassifier:
    return RandomForestClassifier(TREES, class_weight="balanced", random_state=seed)


def _score(forest: RandomForestClassifier, features: np.ndarray) -> np.ndarray:
    """P(informative) of every frame, (N,)."""
    return np.asarray(forest.predict_proba(features))[:, list(forest.classes_).index(1)]
