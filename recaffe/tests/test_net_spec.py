"""Nets written as assignments."""

from __future__ import annotations

from pathlib import Path

import pytest
from recaffe.net_spec import NetSpec, NetSpecError, assign_proto, param_name_dict, to_proto
from recaffe.net_spec import layers as L  # noqa: N812 - pycaffe's names
from recaffe.net_spec import params as P  # noqa: N812
from recaffe.proto import caffe_pb2, text

WITHOUT_ALL_OF_CAFFE = """
import importlib.util, sys, types
# A bare package in caffe's place: its schema and net_spec without the seconds that importing all of it takes.
stub = types.ModuleType("caffe")
stub.__path__ = list(importlib.util.find_spec("caffe").submodule_search_locations)
sys.modules["caffe"] = stub
"""
LENET = """
from {module} import layers as L, params as P, to_proto, NetSpec
n = NetSpec()
n.data, n.label = L.DummyData(shape=[dict(dim=[2, 1, 28, 28]), dict(dim=[2])], ntop=2, transform_param=dict(scale=0.5))
n.conv1 = L.Convolution(n.data, kernel_size=5, num_output=20, weight_filler=dict(type='xavier'),
                        param=[dict(lr_mult=1), dict(lr_mult=2, decay_mult=0)])
n.pool1 = L.Pooling(n.conv1, kernel_size=2, stride=2, pool=P.Pooling.MAX)
n.relu1 = L.ReLU(n.pool1, in_place=True)
n['ip'] = L.InnerProduct(L.Dropout(n.relu1, dropout_ratio=0.4), num_output=10, include=dict(phase=0))
n.up = L.Deconvolution(n.conv1, convolution_param=dict(num_output=1, kernel_size=2), name='named')
n.loss = L.SoftmaxWithLoss(n.ip, n.label, loss_weight=3, loss_param=dict(ignore_label=1))
n.silence = L.Silence(n.data, ntop=0)
"""


def test_net_is_the_one_its_prototxt_says():
    n = NetSpec()
    n.data, n.label = L.Data(ntop=2, source="db", batch_size=4, backend=P.Data.LMDB, transform_param={"scale": 0.5})
    n.conv1 = L.Convolution(n.data, kernel_size=5, num_output=20, param=[{"lr_mult": 1}, {"lr_mult": 2}])
    n.relu1 = L.ReLU(n.conv1, in_place=True)
    n.loss = L.SoftmaxWithLoss(L.InnerProduct(n.relu1, num_output=10), n.label)
    assert n.to_proto() == text.parse(
        """
        layer { name: "data" type: "Data" top: "data" top: "label" transform_param { scale: 0.5 }
                data_param { source: "db" batch_size: 4 backend: LMDB } }
        layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1" param { lr_mult: 1 } param { lr_mult: 2 }
                convolution_param { num_output: 20 kernel_size: 5 } }
        layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
        layer { name: "InnerProduct1" type: "InnerProduct" bottom: "conv1" top: "InnerProduct1"
                inner_product_param { num_output: 10 } }
        layer { name: "loss" type: "SoftmaxWithLoss" bottom: "InnerProduct1" bottom: "label" top: "loss" }
        """,
        caffe_pb2.NetParameter,
    )


def test_tops_alone_make_a_net_with_made_up_names():
    data = L.Input(shape={"dim": [1, 2]})
    net = to_proto(L.Sigmoid(data), L.TanH(data))
    assert [(layer.name, list(layer.bottom)) for layer in net.layer] == [
        ("Input1", []),
        ("Sigmoid1", ["Input1"]),
        ("TanH1", ["Input1"]),
    ]
    assert L.TanH(data).to_proto().layer[1].type == "TanH"


def test_messages_and_single_values_stand_for_lists():
    filler = caffe_pb2.FillerParameter(type="msra")
    layer = L.Convolution(kernel_size=3, stride=(1, 2), weight_filler=filler, param={"lr_mult": 0}).to_proto().layer[0]
    assert list(layer.convolution_param.stride) == [1, 2]
    assert layer.convolution_param.weight_filler == filler
    assert [spec.lr_mult for spec in layer.param] == [0]


def test_messages_are_filled_from_python_values():
    layer = caffe_pb2.LayerParameter()
    assign_proto(layer, "name", "conv")
    assign_proto(layer, "param", [{"lr_mult": 1}, {"lr_mult": 2}])
    assign_proto(layer, f"{param_name_dict()['Convolution']}_param", {"kernel_size": 3, "weight_filler": {"std": 0.5}})
    assert layer == text.parse(
        """name: "conv" param { lr_mult: 1 } param { lr_mult: 2 }
        convolution_param { kernel_size: 3 weight_filler { std: 0.5 } }""",
        caffe_pb2.LayerParameter,
    )
    with pytest.raises(NetSpecError, match="LayerParameter has no field 'nam'; the nearest is 'name'"):
        assign_proto(layer, "nam", "conv")


def test_options_stay_at_hand():
    function = L.Pooling(L.Input(), kernel_size=2, ntop=1, in_place=False).fn
    assert function.params == {"kernel_size": 2}


@pytest.mark.parametrize(
    ("build", "problem"),
    [
        (lambda: L.Convoluton(), "unknown layer type 'Convoluton'; the nearest is 'Convolution'"),
        (lambda: L.Convolution(kernel_sise=3), "Convolution has no option 'kernel_sise'; the nearest is 'kernel_size'"),
        (lambda: L.Convolution(weight_filler={"typ": "x"}), "Convolution.weight_filler: FillerParameter has no field"),
        (lambda: L.Convolution(num_output="many"), "Convolution.num_output = 'many': "),
        (lambda: L.Convolution(weight_filler="xavier"), "expected a dict of FillerParameter's fields"),
        (lambda: P.Poling, "unknown parameters 'Poling'; the nearest is 'Pooling'"),
        (lambda: NetSpec().data, "the net has no top 'data'"),
        (lambda: setattr(NetSpec(), "data", L.Data(ntop=2)), "expected what a layer returns"),
    ],
)
def test_what_does_not_exist_is_refused_where_it_is_written(build, problem: str):
    with pytest.raises(NetSpecError) as caught:
        build()
    assert problem in str(caught.value)


def test_an_input_that_is_no_top_is_refused():
    with pytest.raises(TypeError, match="ReLU: input 0 is str 'conv1', expected a Top"):
        L.ReLU("conv1")


@pytest.mark.caffe
def test_pycaffe_makes_the_same_net(tmp_path: Path, real_caffe):
    ours: dict = {}
    exec(LENET.format(module="recaffe.net_spec"), ours)
    real_caffe(
        WITHOUT_ALL_OF_CAFFE
        + LENET.format(module="caffe.net_spec")
        + "open(sys.argv[1], 'wb').write(n.to_proto().SerializeToString())",
        tmp_path / "net",
    )
    assert ours["n"].to_proto() == caffe_pb2.NetParameter.FromString((tmp_path / "net").read_bytes())
