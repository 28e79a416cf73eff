"""Shapes of any net: against recaffe, which builds it, and by hand where the file leaves something open."""

from __future__ import annotations

import pytest
import recaffe
from hypothesis import given, settings
from random_nets import all_nets
from real_nets import NETS
from recaffe.net_graph import filter_layers
from recaffe.proto import caffe_pb2, text

from layerwise.errors import ModelError
from layerwise.shape_rules import RULES
from layerwise.shapes import all_shapes

RANDOM = {kind: nets for kind, nets in all_nets().items() if kind in RULES}
WITHOUT_RULE = {"LSTM": {"lstm", "predict", "loss"}}


def parsed(net_text):
    return text.parse(net_text, caffe_pb2.NetParameter)


def data_layer(options, kind="Data"):
    return parsed(f'layer {{ name: "d" type: "{kind}" top: "data" top: "label" {options} }}')


def differences(net, path):
    """What recaffe finds in the net at `path` and `all_shapes` does not: blobs and weights, by name."""
    built = recaffe.Net(str(path), recaffe.TRAIN)
    net.state.phase = recaffe.TRAIN
    kept = filter_layers(net).layer
    shapes = all_shapes(filter_layers(net))
    blobs, params = {}, {}
    for layer, shape in zip(kept, shapes, strict=True):
        if not isinstance(shape, ModelError):
            blobs.update(zip(layer.top, shape.tops, strict=True))
            params[layer.name] = shape.params
    wrong = {name: (blobs[name], tuple(built.blobs[name].shape)) for name in blobs if name in built.blobs}
    wrong |= {
        name: (shape, tuple(tuple(blob.shape) for blob in built.params.get(name, ()))) for name, shape in params.items()
    }
    unknown = {layer.name for layer, shape in zip(kept, shapes, strict=True) if isinstance(shape, ModelError)}
    return {name: both for name, both in wrong.items() if both[0] != both[1]}, unknown


@pytest.mark.parametrize("name", ["GoogLeNet", "FCN-8s", "LSTM"])
def test_shapes_of_the_nets_of_the_papers_are_those_that_recaffe_builds(name, tmp_path):
    path = tmp_path / "net.prototxt"
    net = NETS[name]().to_proto()
    path.write_text(text.format(net))
    assert differences(net, path) == ({}, WITHOUT_RULE.get(name, set()))


@pytest.mark.parametrize("kind", RANDOM)
def test_shapes_of_random_layers_are_those_that_recaffe_builds(kind, tmp_path_factory):
    path = tmp_path_factory.mktemp("net") / "net.prototxt"

    @settings(max_examples=12, deadline=None, database=None, derandomize=True)
    @given(RANDOM[kind])
    def check(net_text):
        path.write_text(net_text)
        assert differences(parsed(net_text), path) == ({}, set())

    check()


@pytest.mark.parametrize(
    ("options", "told", "expected"),
    [
        ("transform_param { crop_size: 227 } data_param { batch_size: 4 }", None, (4, 3, 227, 227)),
        ("transform_param { crop_size: 9 force_gray: true } data_param { batch_size: 4 }", None, (4, 1, 9, 9)),
        ("transform_param { mean_value: [1, 2] crop_size: 9 } data_param { batch_size: 4 }", None, (4, 2, 9, 9)),
        ("data_param { batch_size: 4 }", (3, 64, 48), (4, 3, 64, 48)),
        ("transform_param { crop_size: 227 } data_param { batch_size: 4 }", (1, 28, 28), (4, 1, 28, 28)),
    ],
)
def test_pictures_of_a_database_have_the_size_of_the_crop_or_the_one_that_is_told(options, told, expected):
    (shape,) = all_shapes(data_layer(options), told)
    assert not isinstance(shape, ModelError)
    assert shape.tops == (expected, (4,))


@pytest.mark.parametrize(
    ("kind", "options", "expected"),
    [
        ("ImageData", "image_data_param { batch_size: 2 new_height: 5 new_width: 6 }", (2, 3, 5, 6)),
        ("ImageData", "transform_param { crop_size: 4 } image_data_param { batch_size: 2 }", (2, 3, 4, 4)),
        ("MemoryData", "memory_data_param { batch_size: 2 channels: 1 height: 5 width: 6 }", (2, 1, 5, 6)),
        ("WindowData", "window_data_param { batch_size: 2 crop_size: 7 }", (2, 3, 7, 7)),
        ("DummyData", "dummy_data_param { num: 2 channels: 3 height: 4 width: 5 shape { dim: 8 dim: 9 } }", (8, 9)),
    ],
)
def test_other_sources_say_their_own_size(kind, options, expected):
    (shape,) = all_shapes(data_layer(options, kind))
    assert not isinstance(shape, ModelError)
    assert shape.output == expected


@pytest.mark.parametrize("kind", ["Data", "ImageData", "HDF5Data"])
def test_pictures_of_unsaid_size_are_asked_for(kind):
    (error,) = all_shapes(data_layer("data_param { batch_size: 4 }", kind))
    assert "--shape" in str(error)
    assert "'d'" in str(error)


@pytest.mark.parametrize(
    ("layer", "problem"),
    [
        ('type: "Convolution" convolution_param { num_output: 4 kernel_size: 9 }', "larger than its bottom"),
        ('type: "Convolution" convolution_param { num_output: 4 group: 2 kernel_size: 1 }', "2 groups"),
        ('type: "Convolution" convolution_param { num_output: 4 kernel_size: 1 stride: 0 }', "at least 1"),
        ('type: "Convolution" convolution_param { kernel_size: 1 }', "num_output 0"),
        ('type: "Pooling" pooling_param { stride: 2 }', "at least 1"),
        ('type: "Reshape" reshape_param { shape { dim: 7 dim: -1 } }', "cannot make"),
        ('type: "Crop"', "second bottom"),
        ('type: "Concat" bottom: "flat"', "cannot join|has axis"),
        ('type: "Interp"', "no shape rule"),
    ],
)
def test_a_layer_that_fits_not_is_an_error_of_its_own_and_of_those_above(layer, problem):
    net = parsed(
        'layer { name: "in" type: "Input" top: "data" top: "flat" '
        "input_param { shape { dim: 1 dim: 3 dim: 4 dim: 4 } shape { dim: 1 dim: 5 } } }"
        f'layer {{ name: "odd" bottom: "data" top: "data" {layer} }}'
        'layer { name: "next" type: "ReLU" bottom: "data" top: "data" }'
        'layer { name: "apart" type: "ReLU" bottom: "flat" top: "b" }'
    )
    _, odd, above, apart = all_shapes(net)
    with pytest.raises(ModelError, match=f"'odd'.*({problem})"):
        raise odd
    assert "'next' (ReLU) reads 'data', of unknown shape" in str(above)
    assert not isinstance(apart, ModelError)


def test_multiply_accumulates_count_every_use_of_a_weight_and_both_pictures_of_a_batch():
    net = parsed(
        'layer { name: "in" type: "Input" top: "data" input_param { shape { dim: 2 dim: 4 dim: 5 dim: 5 } } }'
        'layer { name: "c" type: "Convolution" bottom: "data" top: "c" '
        "convolution_param { num_output: 6 kernel_size: 3 group: 2 } }"
        'layer { name: "d" type: "Deconvolution" bottom: "c" top: "d" '
        "convolution_param { num_output: 1 kernel_size: 2 stride: 2 bias_term: false } }"
        'layer { name: "i" type: "InnerProduct" bottom: "d" top: "i" inner_product_param { num_output: 7 } }'
    )
    shapes = [shape for shape in all_shapes(net) if not isinstance(shape, ModelError)]
    assert [shape.macs for shape in shapes] == [
        0,
        2 * (3 * 3) * 6 * (4 // 2) * 3 * 3,
        2 * (3 * 3) * 6 * 1 * 2 * 2,
        2 * (6 * 6) * 7,
    ]
    assert [shape.n_parameters for shape in shapes] == [0, 6 * 2 * 9 + 6, 6 * 4, 36 * 7 + 7]
