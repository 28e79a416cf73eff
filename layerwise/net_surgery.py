"""Net surgery: the patch net of an application that pads nothing, written as a net that runs over whole regions.

`layerwise.pycaffe_worker` gives it the trained weights and runs it (`maps`). Two facts decide what it can do:

* Fully connected layers become convolutions, and the score at a place is exactly that of the patch about it. This needs
  a net without padding: zeros at a patch's edge are its surroundings in a region, and no pass over the region can give
  both. On six regions of the intima phantom, with only fc8 fitted on padded patches of alexnet_half, boundaries were
  off by 55 (LI) and 64 um (MA) with patches scored one by one, and by 186 and 144 um in one pass without the padding;
  so the net is trained as it will be used.
* AlexNet's strides multiply to 32. The worker parts the maps before each pooling and scores every 4th pixel, conv1's
  stride, all the same; conv1 to conv5 are shared by all places, fc6 and above cost the same per place as per patch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from recaffe.proto import caffe_pb2

from layerwise.errors import ModelError
from layerwise.shapes import layer_shapes

SUFFIX = "-conv"


@dataclass(frozen=True)
class ConvolutionalNet:
    """What `fully_convolutional` makes.

    net: NetParameter; its Input takes one patch as it stands, and any region. renamed: fully connected layer ->
    convolution that takes its weights. context_size: side of the square that one score depends on, the patch's.
    stride: of the places that are scored. Both in pixels of the input.
    """

    net: Any
    renamed: dict[str, str]
    context_size: int
    stride: int


def fully_convolutional(deploy: Any) -> ConvolutionalNet:
    """A copy of a deploy NetParameter in which InnerProduct layers are convolutions.

    The first takes the whole map below it as its kernel, the others 1 x 1; as convolutions they have other names, so
    that copying weights by name leaves them alone. deploy: an Input of square patches, then layers of AlexNet.
    Raises ModelError for a layer that pads, sees neither a window nor a place, or whose windows leave a remainder of
    the patch.
    """
    size = deploy.layer[0].input_param.shape[0].dim[2]
    shapes = layer_shapes(deploy, tuple(deploy.layer[0].input_param.shape[0].dim[1:]))
    outputs = {layer.top[0]: shapes[layer.name].output for layer in deploy.layer if layer.name in shapes}
    net = caffe_pb2.NetParameter()
    net.CopyFrom(deploy)
    net.layer[0].input_param.shape[0].dim[0] = 1
    renamed: dict[str, str] = {}
    windows: list[tuple[int, int]] = []
    for layer in net.layer:
        if layer.type == "InnerProduct":
            side = (*outputs[layer.bottom[0]][1:], 1)[0]
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
            if any(param.pad):
                raise ModelError(
                    f"layer {layer.name} pads with zeros, which a place within a region does not see: the scores of a "
                    "whole region would not be those of patches. Train a net without padding"
                )
            windows.append((param.kernel_size[0], param.stride[0] if param.stride else 1))
        elif layer.type == "Pooling":
            windows.append((layer.pooling_param.kernel_size, layer.pooling_param.stride))
        elif layer.type not in ("Input", "ReLU", "LRN", "Dropout", "Softmax"):
            raise ModelError(f"layer {layer.name} of type {layer.type} cannot be made convolutional")
    context = 1
    for kernel, stride in reversed(windows):
        context = (context - 1) * stride + kernel
    if context != size:
        raise ModelError(f"the windows of {deploy.name} reach over {context} of its {size} pixels; both must be equal")
    return ConvolutionalNet(net, renamed, context, windows[0][1])
