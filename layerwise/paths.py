"""Where data sets lie: data/<application>/<dataset>/, one folder per source of images, whatever the net."""

from __future__ import annotations

import hashlib
from pathlib import Path

from layerwise.applications import CUSTOM
from layerwise.errors import UsageError

DATA = Path("data")


def dataset_dir(application: str, data: Path | str | None, scale: str, seed: int, base: Path = DATA) -> Path:
    """The folder of one data set: the phantom's of that scale and seed, or that of the user's own images at `data`.

    The user's folder gives its name and eight hex digits of its absolute path, so two folders of one name differ.
    """
    if data is None:
        return base / application / f"phantom-seed{seed}-{scale}"
    source = Path(data).resolve()
    return base / application / f"{source.name}-{hashlib.sha256(str(source).encode()).hexdigest()[:8]}"


def run_place(application: str, data: Path | str | None) -> str:
    """Where runs/ keeps an application's runs: under its name, those of a user's own images by data set.

    data: the user's folder. UsageError if `custom` is without.
    """
    if application != CUSTOM.name:
        return application
    if data is None:
        raise UsageError(
            f"which images? {application} needs DATA (--data), the same folder or table for all its commands: the runs "
            f"of each lie in a folder of its own below runs/{application}/."
        )
    return f"{application}/{dataset_dir(application, data, '', 0).name}"


def patches_dir(dataset: Path, size: int, fraction: float = 1.0) -> Path:
    """The databases of (size, size) patches of a data set, or those with a fraction of the training set."""
    return dataset / (f"patches-{size}" if fraction == 1 else f"patches-{size}-fraction{fraction:g}")
