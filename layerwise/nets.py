"""The nets of the study: AlexNet as the paper uses it, and a narrower one for two CPU cores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from layerwise.applications import Application
from layerwise.nearest import lookup

# chosen: ImageNet's channel means, blue, green, red. The paper does not say what it subtracts; these are the usual
# stand-in for bvlc_alexnet's mean image, and three numbers fit every patch size and every grey picture copied thrice.
MEAN_BGR = (104.0, 117.0, 123.0)

# What AlexNet's zeros stand for, in pixels of the input at each edge: two of conv2's places, which are 8 pixels apart,
# and one of each of conv3, conv4 and conv5, 16 apart.
PADDING_PX = 2 * 8 + 3 * 16


@dataclass(frozen=True)
class NetRecord:
    """An AlexNet by its sizes.

    input_size: side of the picture that the padded net takes, in pixels; the source weights were trained at it.
    widths: num_output of conv1 to fc7. fc8's is the application's number of classes.
    train_batch, val_batch: default mini-batches of the two phases.
    """

    name: str
    title: str
    input_size: int
    widths: Mapping[str, int]
    train_batch: int
    val_batch: int

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of a picture for the padded net."""
        return 3, self.input_size, self.input_size

    def patch_size(self, application: Application) -> int:
        """Side of the application's patches in pixels.

        Where nothing is padded, true surroundings take the place of the zeros; pool5 keeps its size, so that the padded
        net's weights fit.
        """
        return self.input_size + (0 if application.padded else 2 * PADDING_PX)

    def patch_shape(self, application: Application) -> tuple[int, int, int]:
        """(channels, height, width) of one patch."""
        return 3, self.patch_size(application), self.patch_size(application)


def _widths(*numbers: int) -> dict[str, int]:
    return dict(zip(("conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7"), numbers, strict=True))


NETS: dict[str, NetRecord] = {
    net.name: net
    for net in (
        NetRecord(
            name="alexnet",
            title="AlexNet of the paper's Table I, laid out as bvlc_alexnet",
            input_size=227,
            widths=_widths(96, 256, 384, 384, 256, 4096, 4096),
            # chosen: the batch is not stated. 128 is AlexNet's own, fits a 6 GB card, and divides the 80,000, 32,000
            # and 160,000 training patches of three applications, where Caffe's `step` is then the paper's schedule
            # exactly (64,800 / 128 = 506.25 in the fourth).
            train_batch=128,
            # chosen: bvlc_alexnet's. It divides all four validation sets, so Caffe's passes, which never rewind, each
            # see every patch once.
            val_batch=50,
        ),
        NetRecord(
            name="alexnet_half",
            title="AlexNet of half width (fc6, fc7: an eighth) on 131 px, for two CPU cores",
            # chosen: of the sizes at which every window fits without remainder (32 k + 35, as 227), the least
            # that is at least half; pool5 is then 3 x 3.
            input_size=131,
            widths=_widths(48, 128, 192, 192, 128, 512, 512),
            # chosen: its databases have a few thousand patches; 32 gives an epoch some hundred updates.
            train_batch=32,
            val_batch=50,
        ),
    )
}


def get_net(name: str) -> NetRecord:
    """The net of that name; UsageError with the nearest name if there is none."""
    return lookup("net", name, NETS)
