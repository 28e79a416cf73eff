"""How much data a run of the polyp application prepares: sizes for a test, a demonstration on two cores, the paper."""

from __future__ import annotations

from dataclasses import dataclass

from layerwise.applications import APPLICATIONS

_POLYP = APPLICATIONS["polyp"]


@dataclass(frozen=True)
class Scale:
    """Limits of one preset.

    test_fraction: of the frames, where no published split says otherwise. patches_per_candidate: of the 120, in train
    and val. test_patches_per_candidate: fewer where max_test_patches demands it. max_*: patches per database.
    """

    name: str
    test_fraction: float
    patches_per_candidate: int
    test_patches_per_candidate: int
    max_train_patches: int
    max_val_patches: int
    max_test_patches: int


SCALES = {
    scale.name: scale
    for scale in (
        # chosen: seconds, not minutes; only to see that everything runs.
        Scale("smoke", 0.4, 4, 2, 400, 160, 2_000),
        # chosen: two cores train about 120 patches/s on real Caffe; this is one epoch in half a minute, and scoring
        # the test set in one minute.
        Scale("demo", 0.4, 12, 5, 4_000, 800, 15_000),
        # Paper, section VI-A: half of the frames, all 120 patches, 100,000 for training of which 20 % validate.
        # chosen: the test set's limit, which the paper does not have; 2 million patches of 227 px are 300 GB.
        Scale("paper", 0.5, 120, 120, _POLYP.n_train_patches, _POLYP.n_validation_patches, 2_000_000),
    )
}
