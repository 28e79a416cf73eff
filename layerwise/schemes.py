"""The eleven schemes: how deep a pre-trained AlexNet is tuned, or how one is filled that learns from scratch.

Source: Tajbakhsh et al. 2016, Table II for the rates, Figure 10 for the three fillers; Caffe's models/bvlc_alexnet for
what the paper leaves open.
"""

from __future__ import annotations

from dataclasses import dataclass

from layerwise.nearest import lookup

# Stands in a scheme's place for the rival without a net (handcrafted/); it is none of SCHEMES.
HANDCRAFTED = "handcrafted"

LEARNED_LAYERS = ("conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7", "fc8")

# Table II and its text: the rate .001 converged in all four applications; it falls by gamma once per epoch.
BASE_LR = 0.001
MOMENTUM = 0.9
GAMMA = 0.95
BIAS_FACTOR = 2.0  # the bias learns at twice the rate of the weight
FC8_FACTOR = 10.0  # .01 for fc8 when the layers below are copied; .001 from scratch

# chosen: the paper's equations 1 and 2 have no decay. bvlc_alexnet and Caffe's own fine-tuning example use 0.0005, and
# the paper's other rates are those of that example; 0 would be the literal reading.
WEIGHT_DECAY = 0.0005

# chosen: the paper gives no standard deviations for its gaussian filler; these are those of bvlc_alexnet.
GAUSSIAN_STD = {name: 0.005 if name in ("fc6", "fc7") else 0.01 for name in LEARNED_LAYERS}

# chosen: the paper does not speak of biases; these are those of bvlc_alexnet, for every filler of the weights.
BIAS_VALUE = {name: 0.0 if name in ("conv1", "conv3", "fc8") else 0.1 for name in LEARNED_LAYERS}

# chosen: msra keeps the size of what comes in, and pixels come in with a deviation of some 60, so the first losses are
# near 40 and at the paper's rate the net ends in NaN within ten iterations (alexnet_half, phantom, three seeds of
# three). Clipped to a norm of 35 it learns; to 10, at half the pace. The paper does not say how it kept MSRA stable.
MSRA_CLIP_GRADIENTS = 35.0


@dataclass(frozen=True)
class Scheme:
    """first_tuned: the lowest layer that learns. filler: of every layer that is not copied from the source weights.

    clip_gradients: the largest L2 norm of all gradients together, None for no limit.
    """

    name: str
    first_tuned: str
    filler: str
    copies_source: bool
    clip_gradients: float | None = None

    @property
    def frozen_layers(self) -> tuple[str, ...]:
        return LEARNED_LAYERS[: LEARNED_LAYERS.index(self.first_tuned)]

    @property
    def copied_layers(self) -> tuple[str, ...]:
        """The layers that take the source's weights: all below fc8 when fine-tuning, none from scratch."""
        return LEARNED_LAYERS[:-1] if self.copies_source else ()


SCHEMES: dict[str, Scheme] = {
    scheme.name: scheme
    for scheme in (
        *(Scheme(f"finetune-{first}", first, "gaussian", copies_source=True) for first in reversed(LEARNED_LAYERS)),
        *(Scheme(f"scratch-{filler}", "conv1", filler, copies_source=False) for filler in ("gaussian", "xavier")),
        Scheme("scratch-msra", "conv1", "msra", copies_source=False, clip_gradients=MSRA_CLIP_GRADIENTS),
    )
}


def get_scheme(name: str) -> Scheme:
    """The scheme of that name; UsageError with the nearest name if there is none."""
    return lookup("scheme", name, SCHEMES)


def lr_mult(scheme: Scheme, layer: str) -> tuple[float, float]:
    """(weight, bias) factors on BASE_LR of a learned layer: Table II divided by .001.

    Frozen is (0, 0), tuned (1, 2), fc8 of a fine-tuned net (10, 20). `layer` is one of LEARNED_LAYERS.
    """
    if layer in scheme.frozen_layers:
        return 0.0, 0.0
    weight = FC8_FACTOR if layer == "fc8" and scheme.copies_source else 1.0
    return weight, weight * BIAS_FACTOR


def weight_filler(scheme: Scheme, layer: str) -> dict[str, str | float]:
    """Fields of Caffe's FillerParameter for the weight of a learned layer; xavier and msra count fan-in by default."""
    if scheme.filler == "gaussian":
        return {"type": "gaussian", "std": GAUSSIAN_STD[layer]}
    return {"type": scheme.filler}


def bias_filler(layer: str) -> dict[str, str | float]:
    """Fields of Caffe's FillerParameter for the bias of a learned layer."""
    return {"type": "constant", "value": BIAS_VALUE[layer]}
