"""How much data a run of the embolism application prepares: sizes for a test, a demonstration, the paper."""

from __future__ import annotations

from dataclasses import dataclass

from data_prep.embolism_patches import TRANSFORMS
from layerwise.applications import APPLICATIONS

_EMBOLISM = APPLICATIONS["embolism"]


@dataclass(frozen=True)
class Scale:
    """Limits of one preset.

    test_fraction: of the volumes, where nothing else says which are for testing. patches_per_candidate: of the 54, in
    train and val. test_patches_per_candidate: fewer where max_test_patches demands it. max_*: patches per database.
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
        Scale("smoke", 0.4, 6, 2, 400, 160, 2_000),
        # chosen: some hundred candidates hit the 70 training emboli; 27 patches of each make a thousand mini-batches of
        # 32 in eight epochs, which two cores train in a few minutes. Scoring the test set takes half a minute.
        Scale("demo", 0.4, 27, 5, 4_000, 1_000, 10_000),
        # Paper, section VI-B: all transforms, 81,000 patches for training of which 20 % validate.
        # chosen: the test set's limit; its 2,415 candidates in 54 ways were 130,410.
        Scale(
            name="paper",
            test_fraction=0.4,
            patches_per_candidate=len(TRANSFORMS),
            test_patches_per_candidate=len(TRANSFORMS),
            max_train_patches=_EMBOLISM.n_train_patches,
            max_val_patches=_EMBOLISM.n_validation_patches,
            max_test_patches=300_000,
        ),
    )
}
