"""What the paper found in each application, in words and as what a run of this project would have to show.

Source: Tajbakhsh et al. 2016, section VI, Figures 2 to 9, Tables S1 to S4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

AHEAD, LEVEL = "ahead", "level"  # significantly better; not significantly different


@dataclass(frozen=True)
class PaperFinding:
    """Of one application. Each sentence with what it expects of a comparison: AHEAD or LEVEL.

    best_depths: the first tuned layers of which the paper says that they are best, or that more adds nothing. scratch:
    the best depth against learning from scratch. rival: the best net against the handcrafted one. reduced_expects: by
    share of the training set, tuning against scratch; what the paper leaves open is not in it.
    """

    depth: str
    best_depths: tuple[str, ...]
    scratch: str
    scratch_expects: str
    rival: str
    rival_expects: str
    reduced: str
    reduced_expects: Mapping[float, str] = field(default_factory=dict)


PAPER = {
    "polyp": PaperFinding(
        "deep tuning is best, from conv1 or conv2 on, and these two cannot be told apart",
        ("finetune-conv2", "finetune-conv1"),
        "tuning is ahead of learning from scratch as soon as the last convolutional layers are tuned",
        AHEAD,
        "every net is ahead of the handcrafted detector",
        AHEAD,
        "with 50 % of the training data tuning is ahead of scratch, with 25 % scratch collapses",
        {0.5: AHEAD, 0.25: AHEAD},
    ),
    "embolism": PaperFinding(
        "the gain saturates once the fully connected layers are tuned, from fc6 on",
        ("finetune-fc6", "finetune-conv5", "finetune-conv4", "finetune-conv3", "finetune-conv2", "finetune-conv1"),
        "tuning all layers and learning from scratch end alike",
        LEVEL,
        "the net is ahead of the handcrafted classifier, but not significantly",
        LEVEL,
        "with 50 % and with 25 % of the emboli tuning is ahead of scratch at most points",
        {0.5: AHEAD, 0.25: AHEAD},
    ),
    "frames": PaperFinding(
        "a middle depth is best, from conv4 or conv5 on",
        ("finetune-conv5", "finetune-conv4"),
        "learning from scratch is behind tuning from conv5 on",
        AHEAD,
        "every net is ahead of the handcrafted classifier",
        AHEAD,
        "10 % of the training data costs nothing significant; with 5 % and 1 % scratch falls far, tuning much less",
        {0.05: AHEAD, 0.01: AHEAD},
    ),
    "intima": PaperFinding(
        "conv5 has to be tuned too; tuning deeper adds next to nothing",
        ("finetune-conv5", "finetune-conv4", "finetune-conv3", "finetune-conv2", "finetune-conv1"),
        "deep tuning is ahead of learning from scratch",
        AHEAD,
        "every net but the one with only fc8 tuned is far ahead of the handcrafted one",
        AHEAD,
        "a single subject for training costs neither tuning nor scratch anything significant",
    ),
}
