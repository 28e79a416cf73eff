"""The four applications of the study and the paper's constants about them, each stated here and nowhere else.

Source: Tajbakhsh et al. 2016 (IEEE TMI 35(5):1299-1312), section VI, A to D.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from layerwise.nearest import lookup

# "80% of the training data for training and the rest for validation" in all four applications. The unit of that split
# is not stated; the counts below are per patch, the databases of a run are split by group.
VALIDATION_FRACTION = 0.2


@dataclass(frozen=True)
class Application:
    """What one application fixes before any net is chosen.

    group_unit: what a group_id stands for; the train/test split never divides one.
    n_training_patches: the stratified training set of the paper, before 20 % of it is kept for validation.
    curve: which evaluation the paper draws: `froc`, `roc` or `boundary`.
    fp_unit: what the curve's x axis counts, and compared_at: where on it the paper compares two nets.
    score_rule: how patch probabilities become the score of the thing that is judged.
    reduced_to: the shares of the training set to which the paper reduces it (sections VI and Figures 5 to 8).
    padded: whether the net pads conv2 to conv5 with zeros, as bvlc_alexnet does.
    """

    name: str
    title: str
    section: str
    class_names: tuple[str, ...]
    group_unit: str
    n_training_patches: int
    metric: str
    curve: str
    fp_unit: str
    compared_at: tuple[float, ...]
    score_rule: str
    reduced_to: tuple[float, ...]
    padded: bool = True

    @property
    def n_classes(self) -> int:
        """C of the paper's Table I: the outputs of fc8."""
        return len(self.class_names)

    @property
    def positive(self) -> str:
        """What a score is the probability of: the second of two classes, or whatever is not the first."""
        return self.class_names[1] if self.n_classes == 2 else f"not {self.class_names[0]}"

    @property
    def fc8(self) -> str:
        """Name of the last layer. It is not `fc8`, so copying by name leaves it as it was filled."""
        return f"fc8_{self.name}"

    @property
    def n_validation_patches(self) -> int:
        return round(self.n_training_patches * VALIDATION_FRACTION)

    @property
    def n_train_patches(self) -> int:
        """|X| of the paper's rate schedule: the patches that the gradient sees in one epoch."""
        return self.n_training_patches - self.n_validation_patches


APPLICATIONS: dict[str, Application] = {
    application.name: application
    for application in (
        Application(
            name="polyp",
            title="polyp detection in colonoscopy",
            section="VI-A",
            class_names=("background", "polyp"),
            group_unit="video",
            n_training_patches=100_000,
            metric="sensitivity against false positives per frame",
            curve="froc",
            fp_unit="fps_per_frame",
            compared_at=(0.001, 0.01),
            score_rule="mean probability over the patches of a candidate",
            reduced_to=(0.5, 0.25),
        ),
        Application(
            name="embolism",
            title="pulmonary embolism detection in CT angiography",
            section="VI-B",
            class_names=("background", "embolism"),
            group_unit="patient",
            n_training_patches=81_000,
            metric="sensitivity per embolus against false positives per volume",
            curve="froc",
            fp_unit="fps_per_volume",
            compared_at=(1.0, 2.0, 3.0, 4.0, 5.0),
            score_rule="mean probability over the patches of a candidate",
            reduced_to=(0.5, 0.25),
        ),
        Application(
            name="frames",
            title="informative frames in colonoscopy",
            section="VI-C",
            class_names=("non-informative", "informative"),
            group_unit="video",
            n_training_patches=40_000,
            metric="true against false positive rate per frame",
            curve="roc",
            fp_unit="false_positive_rate",
            compared_at=(0.10, 0.15, 0.20),
            score_rule="mean probability over the crops of a frame",
            reduced_to=(0.1, 0.05, 0.01),
        ),
        Application(
            name="intima",
            title="intima-media boundaries in carotid ultrasound",
            section="VI-D",
            class_names=("background", "lumen-intima", "media-adventitia"),
            group_unit="subject",
            n_training_patches=200_000,
            metric="mean distance to the expert's boundary in micrometres",
            curve="boundary",
            fp_unit="",
            compared_at=(),
            score_rule="1 - P(background) of a patch",
            reduced_to=(0.01,),  # a single subject: of every split at least one unit is kept
            # chosen: without padding, on larger patches (NetRecord.patch_size). The paper applies its net at every
            # pixel of a region. Zeros at a patch's edge would be the surroundings there: no pass over the region could
            # equal scoring by patches. A net that never saw such zeros gives the same both ways.
            padded=False,
        ),
    )
}


# A user's own images, which are judged one by one as the frames are. Their classes are in the manifest of their data.
CUSTOM = replace(
    APPLICATIONS["frames"],
    name="custom",
    title="images of your own",
    section="VI",
    class_names=(),
    group_unit="group",
    n_training_patches=0,
    metric="true against false positive rate per image",
    score_rule="mean probability over the patches of an image",
)


def get_application(name: str, data: Mapping[str, Any] | None = None) -> Application:
    """The application of that name; UsageError with the nearest name if there is none.

    data: what is recorded of its data set, a manifest say; `custom` has no class_names without it.
    """
    application = lookup("application", name, {**APPLICATIONS, CUSTOM.name: CUSTOM})
    if application is CUSTOM and data is not None:
        return replace(CUSTOM, class_names=tuple(data["class_names"]))
    return application
