"""How much data a run of the frames application prepares: sizes for a test, a demonstration on two cores, the paper."""

from __future__ import annotations

from dataclasses import dataclass

from layerwise.applications import APPLICATIONS

_FRAMES = APPLICATIONS["frames"]


@dataclass(frozen=True)
class Scale:
    """Limits of one preset.

    test_fraction: of the frames, where no published split says otherwise. crops_per_frame: in train and val.
    test_crops_per_frame: whose mean is a frame's score. max_*: patches of both classes in a database.
    """

    name: str
    test_fraction: float
    crops_per_frame: int
    test_crops_per_frame: int
    max_train_patches: int
    max_val_patches: int


SCALES = {
    scale.name: scale
    for scale in (
        # chosen: seconds, not minutes; only to see that everything runs.
        Scale("smoke", 0.5, 6, 3, 400, 160),
        # chosen: the same budget of patches as the polyp demonstration, for two cores.
        Scale("demo", 0.5, 16, 8, 4_000, 800),
        # Paper, section VI-C: 2,000 of 4,000 frames train, "200" crops of each, and 40,000 crops in all, which is 20 of
        # each. chosen: the total, as that is what the nets saw; the number at test is not stated, so it is the same.
        Scale("paper", 0.5, 20, 20, _FRAMES.n_train_patches, _FRAMES.n_validation_patches),
    )
}
