"""How much a frozen net's features say about pictures it was not trained on: linear classifiers on three small tasks.

`pictures`: from which of 20 photographs was a patch cut; learnt on one half of each photograph and tested on the other,
with changed colours, so that neither place nor mean colour gives the answer away. `faces`: face or not, 200 grey
pictures of 25 px. `digits`: ten classes of 8 px pictures. All ship inside scikit-image and scikit-learn, none is
downloaded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import skimage
import sklearn.datasets
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from layerwise.errors import DataError

SKIMAGE_PICTURES = (
    "astronaut.png", "brick.png", "camera.png", "cell.png", "chelsea.png", "coffee.png", "coins.png", "grass.png",
    "gravel.png", "horse.png", "hubble_deep_field.jpg", "ihc.png", "moon.png", "motorcycle_left.png", "page.png",
    "retina.jpg", "rocket.jpg", "text.png",
)  # fmt: skip
SKLEARN_PICTURES = ("china.jpg", "flower.jpg")
PATCHES_PER_HALF = 40  # chosen: 1600 patches, a few seconds of features
MEAN_BGR = np.array([104, 117, 123], np.float32)

# (N, 3, size, size) float32 BGR minus the mean -> {layer: (N, D) float32}
Features = Callable[[np.ndarray], Mapping[str, np.ndarray]]


@dataclass(frozen=True)
class Task:
    """images: (N, size, size, 3) uint8 BGR. labels: (N,) int.

    folds: (N,) int; a classifier learns one fold and is tested on all others.
    """

    images: np.ndarray
    labels: np.ndarray
    folds: np.ndarray


def tasks(size: int, seed: int) -> dict[str, Task]:
    """The three probe tasks at `size` pixels. Raises DataError if a package lacks one of its pictures."""
    return {"pictures": _pictures(size, seed), "faces": _faces(size, seed), "digits": _digits(size, seed)}


def probe(task: Task, features: Features, batch: int = 50) -> dict[str, float]:
    """Accuracy of a linear classifier per layer, in [0, 1]: mean over the folds, each learned alone once."""
    pieces = [features(_blob(task.images[start : start + batch])) for start in range(0, len(task.images), batch)]
    values = {layer: np.concatenate([piece[layer] for piece in pieces]) for layer in pieces[0]}
    folds = np.unique(task.folds).tolist()
    return {layer: float(np.mean([_accuracy(task, rows, fold) for fold in folds])) for layer, rows in values.items()}


def _accuracy(task: Task, values: np.ndarray, fold: int) -> float:
    train, test = task.folds == fold, task.folds != fold
    # chosen: a ridge classifier has a closed form, so the probe takes seconds; its penalty grows with the features
    model = make_pipeline(StandardScaler(), RidgeClassifier(alpha=values.shape[1]))
    model.fit(values[train], task.labels[train])
    return float(model.score(values[test], task.labels[test]))


def _blob(images_bgr: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray((images_bgr.astype(np.float32) - MEAN_BGR).transpose(0, 3, 1, 2))


def _pictures(size: int, seed: int) -> Task:
    rng = np.random.default_rng(seed)
    images, labels, folds = [], [], []
    for label, picture in enumerate(_read_pictures()):
        middle = picture.shape[1] // 2
        for fold, half in enumerate((picture[:, :middle], picture[:, middle:])):
            for _ in range(PATCHES_PER_HALF):
                images.append(_recoloured(_cut(half, size, rng), rng))
                labels.append(label)
                folds.append(fold)
    return Task(np.array(images), np.array(labels), np.array(folds))


def _read_pictures() -> Iterator[np.ndarray]:
    skimage_data = Path(skimage.__file__).parent / "data"
    sklearn_data = Path(sklearn.datasets.__file__).parent / "images"
    paths = [skimage_data / name for name in SKIMAGE_PICTURES] + [sklearn_data / name for name in SKLEARN_PICTURES]
    for path in paths:
        picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if picture is None:
            raise DataError(f"{path}: cannot be read; the probe needs the pictures that scikit-image >= 0.22 carries")
        yield picture


def _cut(picture: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """A random square of a third to three quarters of the picture's shorter side, resized, half of them mirrored."""
    height, width = picture.shape[:2]
    side = round(min(height, width) * rng.uniform(0.33, 0.75))
    y, x = rng.integers(0, height - side + 1), rng.integers(0, width - side + 1)
    patch = cv2.resize(picture[y : y + side, x : x + side], (size, size), interpolation=cv2.INTER_AREA)
    return patch[:, :: rng.choice([-1, 1])]


def _recoloured(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each channel's gain and offset changed at random."""
    gain, offset = rng.uniform(0.7, 1.3) * rng.uniform(0.85, 1.15, 3), rng.uniform(-25, 25, 3)
    return np.clip(image * gain + offset, 0, 255).astype(np.uint8)


def _faces(size: int, seed: int) -> Task:
    """The first 100 pictures are faces, the others are not (scikit-image's `lfw_subset`)."""
    path = Path(skimage.__file__).parent / "data" / "lfw_subset.npy"
    if not path.is_file():
        raise DataError(f"{path}: not found; the probe needs the pictures that scikit-image >= 0.22 carries")
    grey = (np.load(path) * 255).round().astype(np.uint8)
    return _folded(grey, (np.arange(len(grey)) < 100).astype(int), size, seed)


def _digits(size: int, seed: int) -> Task:
    flat, labels = sklearn.datasets.load_digits(return_X_y=True)
    chosen = np.random.default_rng(seed).permutation(len(labels))[:600]
    return _folded((flat[chosen].reshape(-1, 8, 8) * 15.9).astype(np.uint8), labels[chosen], size, seed)


def _folded(grey: np.ndarray, labels: np.ndarray, size: int, seed: int) -> Task:
    """Small grey pictures (N, h, w) uint8 enlarged to BGR and dealt into ten folds: few pictures to learn from."""
    folds = np.zeros(len(labels), int)
    for fold, (_, test) in enumerate(StratifiedKFold(10, shuffle=True, random_state=seed).split(grey, labels)):
        folds[test] = fold
    large = [cv2.cvtColor(cv2.resize(g, (size, size), interpolation=cv2.INTER_CUBIC), cv2.COLOR_GRAY2BGR) for g in grey]
    return Task(np.array(large), labels, folds)
