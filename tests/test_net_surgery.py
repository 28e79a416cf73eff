"""A patch net made convolutional gives, all at once, what it gives for every square by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import recaffe as caffe
from google.protobuf import text_format
from recaffe.proto import caffe_pb2

from layerwise.applications import APPLICATIONS
from layerwise.engine import CaffeEngine, Engine, RecaffeEngine
from layerwise.errors import EngineError, ModelError
from layerwise.net_surgery import fully_convolutional
from layerwise.nets import MEAN_BGR, NETS
from layerwise.schemes import SCHEMES
from prototxt.alexnet import deploy, train_val

SIZE = 33
NET = """
name: "small"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 4 dim: 3 dim: 33 dim: 33 } } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
        convolution_param { num_output: 4 kernel_size: 5 stride: 2 weight_filler { type: "xavier" } } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "norm1" type: "LRN" bottom: "conv1" top: "norm1" }
layer { name: "pool1" type: "Pooling" bottom: "norm1" top: "pool1"
        pooling_param { pool: MAX kernel_size: 3 stride: 2 } }
layer { name: "conv2" type: "Convolution" bottom: "pool1" top: "conv2"
        convolution_param { num_output: 6 kernel_size: 3 pad: PAD group: 2 weight_filler { type: "xavier" } } }
layer { name: "relu2" type: "ReLU" bottom: "conv2" top: "conv2" }
layer { name: "pool2" type: "Pooling" bottom: "conv2" top: "pool2"
        pooling_param { pool: MAX kernel_size: 3 stride: 2 } }
layer { name: "fc3" type: "InnerProduct" bottom: "pool2" top: "fc3"
        inner_product_param { num_output: 8 weight_filler { type: "xavier" } bias_filler { type: "uniform" } } }
layer { name: "relu3" type: "ReLU" bottom: "fc3" top: "fc3" }
layer { name: "fc4" type: "InnerProduct" bottom: "fc3" top: "fc4"
        inner_product_param { num_output: 3 weight_filler { type: "xavier" } bias_filler { type: "uniform" } } }
layer { name: "prob" type: "Softmax" bottom: "fc4" top: "prob" }
"""


def parsed(pad: int = 0) -> Any:
    return text_format.Parse(NET.replace("PAD", str(pad)), caffe_pb2.NetParameter())


def written(path: Path, param: Any) -> str:
    path.write_text(text_format.MessageToString(param))
    return str(path)


def both_ways(tmp_path: Path, engine: Engine, param: Any, regions: list[np.ndarray]) -> list[tuple[Any, Any]]:
    """Of every region (3, H, W) uint8 its maps, and (h, w, 3) probabilities of its patches one by one, in recaffe.

    Weights are drawn so that no score is near 0 or 1.
    """
    made = fully_convolutional(param)
    job = {
        "deploy": written(tmp_path / "deploy.prototxt", param),
        "convolutional": written(tmp_path / "conv.prototxt", made.net),
        "weights": str(tmp_path / "w.caffemodel"),
        "renamed": made.renamed,
        "context_size": made.context_size,
        "stride": made.stride,
        "mean_bgr": MEAN_BGR,
        "device": "cpu",
        "regions": [
            {"pixels": str(tmp_path / f"pixels{k}.npy"), "maps": str(tmp_path / f"maps{k}.npy")}
            for k in range(len(regions))
        ],
    }
    caffe.set_random_seed(1)
    patch_net = caffe.Net(job["deploy"], caffe.TEST)
    draw = np.random.default_rng(1)
    for weight, bias in patch_net.params.values():
        weight.data[...] = draw.normal(0, np.sqrt(2 / weight.data[0].size), weight.data.shape)
        bias.data[...] = draw.normal(0, 0.1, bias.data.shape)
    patch_net.blobs["data"].data[...] = draw.normal(0, 70, patch_net.blobs["data"].data.shape)
    patch_net.forward()
    weight, _ = patch_net.params[patch_net._layer_names[-2]]
    weight.data[...] /= np.abs(patch_net.blobs[patch_net.bottom_names["prob"][0]].data).max()
    patch_net.save(job["weights"])
    for region, paths in zip(regions, job["regions"], strict=True):
        np.save(paths["pixels"], region)
    events: list[dict[str, Any]] = []
    engine.run("maps", job, events.append, tmp_path / "maps.log")
    names = [(event["event"], event.get("index")) for event in events]
    assert names == [("ready", None), *(("maps", k) for k in range(len(regions))), ("done", None)]

    size, step = made.context_size, made.stride
    found = []
    for region, paths in zip(regions, job["regions"], strict=True):
        scaled = region.astype(np.float32) - np.array(MEAN_BGR, np.float32).reshape(3, 1, 1)
        places = [range(0, side - size + 1, step) for side in region.shape[1:]]
        rows = []
        for i in places[0]:
            patches = np.stack([scaled[:, i : i + size, j : j + size] for j in places[1]])
            patch_net.blobs["data"].reshape(*patches.shape)
            rows.append(patch_net.forward(data=patches)["prob"].copy())
        found.append((np.load(paths["maps"]), np.stack(rows)))
    return found


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height * width).integers(0, 256, (3, height, width), np.uint8)


def test_every_place_of_a_region_scores_as_its_own_patch(tmp_path: Path) -> None:
    """Of regions that hold one place, a number of them that poolings part evenly, and others."""
    sides = [(SIZE, SIZE), (SIZE + 14, SIZE + 22), (SIZE + 15, SIZE + 1), (SIZE + 2, SIZE + 19)]
    regions = [noise(*side) for side in sides]
    for region, (maps, one_by_one) in zip(
        regions, both_ways(tmp_path, RecaffeEngine(), parsed(), regions), strict=True
    ):
        assert maps.shape == (3, *((side - SIZE) // 2 + 1 for side in region.shape[1:]))
        assert np.abs(maps.transpose(1, 2, 0) - one_by_one).max() < 1e-5
    maps, _ = both_ways(tmp_path, RecaffeEngine(), parsed(), [noise(SIZE + 14, SIZE + 22)])[0]
    assert np.ptp(maps[1]) > 0.02


@pytest.mark.caffe
def test_real_caffe_maps_what_recaffe_scores_patch_by_patch(tmp_path: Path, caffe_engine: CaffeEngine) -> None:
    ((maps, one_by_one),) = both_ways(tmp_path, caffe_engine, parsed(), [noise(SIZE + 15, SIZE + 19)])
    assert np.abs(maps.transpose(1, 2, 0) - one_by_one).max() < 1e-5


@pytest.mark.parametrize("engine", ["recaffe", pytest.param("caffe", marks=pytest.mark.caffe)])
def test_the_net_of_intima_maps_a_region_as_it_scores_patches(
    tmp_path: Path, engine: str, request: pytest.FixtureRequest
) -> None:
    runs = RecaffeEngine() if engine == "recaffe" else request.getfixturevalue("caffe_engine")
    param = deploy(APPLICATIONS["intima"], NETS["alexnet_half"], 1)
    ((maps, one_by_one),) = both_ways(tmp_path, runs, param, [noise(259 + 9 * 4, 259 + 6)])
    assert maps.shape == (3, 10, 2)
    assert np.abs(maps.transpose(1, 2, 0) - one_by_one).max() < 1e-5
    assert np.ptp(maps[1]) > 0.005


def test_scores_are_those_of_patches_of_355_pixels_and_of_259_for_the_half_net() -> None:
    for name, context in (("alexnet", 355), ("alexnet_half", 259)):
        made = fully_convolutional(deploy(APPLICATIONS["intima"], NETS[name], 50))
        assert (made.context_size, made.stride) == (context, 4)
        assert list(made.renamed) == ["fc6", "fc7", "fc8_intima"]
        assert list(made.net.layer[0].input_param.shape[0].dim) == [1, 3, context, context]


def test_the_net_that_is_operated_on_stays_as_it_was() -> None:
    param = parsed()
    before = param.SerializeToString()
    fully_convolutional(param)
    assert param.SerializeToString() == before


def test_a_net_that_pads_is_refused_with_the_reason() -> None:
    with pytest.raises(ModelError, match=r"layer conv2 pads with zeros.*Train a net without padding"):
        fully_convolutional(deploy(APPLICATIONS["polyp"], NETS["alexnet_half"], 1))


def test_a_patch_that_windows_do_not_cover_is_refused() -> None:
    param = parsed()
    param.layer[0].input_param.shape[0].dim[2:] = [34, 34]
    with pytest.raises(ModelError, match="the windows of small reach over 33 of its 34 pixels"):
        fully_convolutional(param)


def test_layers_that_mix_places_are_refused() -> None:
    param = parsed()
    param.layer.add(name="flat", type="Flatten", bottom=["prob"], top=["flat"])
    with pytest.raises(ModelError, match="layer flat of type Flatten"):
        fully_convolutional(param)
    trained = train_val(APPLICATIONS["intima"], SCHEMES["finetune-fc8"], NETS["alexnet_half"], "a", "b", 1, 1)
    trained.layer[0].CopyFrom(deploy(APPLICATIONS["intima"], NETS["alexnet_half"], 1).layer[0])
    del trained.layer[1]
    with pytest.raises(ModelError, match="layer accuracy of type Accuracy"):
        fully_convolutional(trained)


def test_a_region_smaller_than_a_patch_is_refused(tmp_path: Path) -> None:
    with pytest.raises((EngineError, ValueError), match="a region of 33 x 32 pixels holds no square of 33"):
        both_ways(tmp_path, RecaffeEngine(), parsed(), [noise(SIZE, SIZE - 1)])
