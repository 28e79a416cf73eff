"""The embedded source weights: their images, their prototxt, the committed file, and the probe that judges them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from recaffe.proto import caffe_pb2
from recaffe.proto.files import read_net

from data_prep.lmdb_reader import read_datums
from layerwise.errors import ModelError
from layerwise.files import file_digest, read_csv
from layerwise.nets import NETS
from layerwise.weights import find_zoo_model, resolve_weights
from tools.source_images.database import lmdb_name, make_databases
from tools.source_images.features import PROBED, open_features
from tools.source_images.nets import write_prototxt
from tools.source_images.pictures import filters_picture
from tools.source_images.probe import Task, probe
from tools.source_images.scenes import N_CLASSES, PARTS, draw_scene, make_bank
from tools.source_images.textures import TEXTURES
from tools.source_weights import DATA, MODEL, WEIGHTS, Amounts, make, state_sums

ROOT = Path(__file__).resolve().parents[1]
SIZE = 131


@pytest.fixture(scope="module")
def bank():
    return make_bank(seed=3, split=0, members=2)


def test_the_bank_has_every_part_of_every_class(bank):
    assert bank.opacities.shape[0] == bank.tiles.shape[0] == bank.palettes.shape[0] == N_CLASSES == len(TEXTURES)
    covered = (bank.opacities > 0.5).mean(axis=(2, 3))
    assert covered.min() > 0.05 and covered.max() < 0.9  # neither empty nor a full square
    assert bank.tiles.std(axis=(2, 3)).min() > 25  # no flat texture


def test_splits_share_classes_but_no_members():
    first, second = (make_bank(seed=3, split=split, members=1) for split in (0, 1))
    np.testing.assert_array_equal(first.palettes, second.palettes)
    assert all((one != other).any() for one, other in zip(first.tiles, second.tiles, strict=True))
    for one, other in zip(first.opacities[:, 0], second.opacities[:, 0], strict=True):
        assert (one != other).any()


def test_a_scene_is_a_function_of_its_generator(bank):
    one, same, another = (draw_scene(bank, 5, 6, 7, np.random.default_rng(seed), SIZE) for seed in (1, 1, 2))
    assert one.shape == (SIZE, SIZE, 3) and one.dtype == np.uint8
    np.testing.assert_array_equal(one, same)
    assert (one != another).mean() > 0.5


def test_databases_are_the_same_again_and_their_three_labels_go_together(tmp_path):
    counts = {"train": 12, "val": 3}
    for folder in ("a", "b"):
        make_databases(tmp_path / folder, counts, members=1, size=32, seed=1)
    assert (tmp_path / "a/manifest.json").read_text() == (tmp_path / "b/manifest.json").read_text()
    read = {part: list(read_datums(tmp_path / "a" / lmdb_name("train", part))) for part in PARTS}
    assert {part: len(records) for part, records in read.items()} == dict.fromkeys(PARTS, 12)
    bank = make_bank(seed=1, split=0, members=1)
    for index, three in enumerate(zip(*read.values(), strict=True)):
        labels = [label for _, label, _ in three]
        scene = draw_scene(bank, *labels, np.random.default_rng((1, 0, index)), 32)
        np.testing.assert_array_equal(three[0][2], scene.transpose(2, 0, 1))


def test_the_committed_prototxt_is_what_the_tool_writes(tmp_path, monkeypatch):
    committed = {path.name: path.read_text() for path in (ROOT / MODEL).glob("*.prototxt")}
    monkeypatch.chdir(tmp_path)
    write_prototxt(MODEL, DATA, Amounts().max_iter, Amounts().val_images)
    assert {path.name: path.read_text() for path in MODEL.glob("*.prototxt")} == committed


def test_the_committed_weights_are_those_of_the_readme_and_small():
    assert (ROOT / WEIGHTS).stat().st_size <= 16_000_000
    record = resolve_weights(MODEL.name, NETS["alexnet_half"], ROOT / "models")
    assert record is not None and f"sha256: {record.sha256}" in (ROOT / MODEL / "readme.md").read_text()
    assert find_zoo_model(MODEL.name, ROOT / "models").path == ROOT / WEIGHTS


def test_the_committed_filters_are_smooth_and_not_noise():
    """Neighbouring pixels of trained filters agree; those of the gaussian ones it started from do not."""
    net = caffe_pb2.NetParameter.FromString((ROOT / WEIGHTS).read_bytes())
    (blob,) = [layer.blobs[0] for layer in net.layer if layer.name == "conv1"]
    filters = np.array(blob.data, np.float32).reshape(48, 3, 11, 11)
    noise = np.random.default_rng(0).standard_normal(filters.shape)
    assert _likeness_of_neighbours(noise) < 0.1
    assert _likeness_of_neighbours(filters) > 0.3


def _likeness_of_neighbours(filters: np.ndarray) -> float:
    return float((filters[..., 1:] * filters[..., :-1]).sum() / (filters**2).sum())


def test_make_trains_by_the_prototxt_and_states_the_sums(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = Path("models/tiny")
    model.mkdir(parents=True)
    (model / "readme.md").write_text("---\nsha1: ?\nsha256: ?\n---\n")
    make(model, Path("data"), Amounts(train_images=40, val_images=50, members=1, max_iter=2))
    weights = model / "tiny.caffemodel"
    assert f"sha1: {file_digest(weights, 'sha1')}\n" in (model / "readme.md").read_text()
    assert [row["iteration"] for row in read_csv("data/history.csv")] == ["1", "2"]
    assert read_net(model / "train_val.prototxt").layer[-1].type == "SoftmaxWithLoss"
    assert open_features(_caffe(), weights, seed=0)(np.zeros((1, 3, SIZE, SIZE), np.float32)).keys() == set(PROBED)


def test_a_readme_without_sums_is_refused(tmp_path):
    (tmp_path / "readme.md").write_text("---\nsha1: ?\n---\n")
    (tmp_path / "w.caffemodel").write_bytes(b"w")
    with pytest.raises(ModelError, match="no line `sha256:`"):
        state_sums(tmp_path / "readme.md", tmp_path / "w.caffemodel")


def test_features_average_maps_over_a_grid_and_depend_on_the_seed():
    images = np.random.default_rng(0).standard_normal((2, 3, SIZE, SIZE)).astype(np.float32) * 50
    first, again, other = (open_features(_caffe(), None, seed)(images) for seed in (1, 1, 2))
    assert {layer: rows.shape for layer, rows in first.items()} == {
        "pool1": (2, 432),
        "pool2": (2, 1152),
        "pool5": (2, 1152),
        "fc6": (2, 512),
        "fc7": (2, 512),
    }
    for layer in PROBED:
        np.testing.assert_array_equal(first[layer], again[layer])
        assert (first[layer] != other[layer]).any()


def test_the_probe_reads_what_features_tell_and_no_more():
    rng = np.random.default_rng(0)
    labels = np.arange(80) % 4
    images = np.broadcast_to((labels * 50)[:, None, None, None], (80, 2, 2, 3)).astype(np.uint8)
    task = Task(images, labels, np.arange(80) // 40)

    def features(blob: np.ndarray) -> dict[str, np.ndarray]:
        told = (blob[:, :1, 0, 0] + 104).round() == np.array([0, 50, 100, 150])
        return {"told": told.astype(np.float32), "noise": rng.standard_normal((len(blob), 4)).astype(np.float32)}

    accuracy = probe(task, features, batch=16)
    assert accuracy["told"] == 1.0
    assert accuracy["noise"] < 0.5


def test_filters_are_drawn_about_grey():
    weights = np.zeros((2, 3, 2, 2), np.float32)
    weights[0, 2], weights[1, 0] = 1, -1  # red more, blue less
    picture = filters_picture(weights, columns=2, enlarge=1)
    assert picture[2, 2].tolist() == [128, 128, 255]
    assert picture[2, 8].tolist() == [0, 128, 128]


def _caffe():
    from layerwise.engine import load_recaffe

    return load_recaffe()
