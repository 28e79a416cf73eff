"""From a trained net to the two boundaries of every test region: the part of `tools.predict` that intima has."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import recaffe as caffe
from recaffe.proto import text
from recaffe.proto.files import read_net

from data_prep.intima_maps import MapGrid
from data_prep.intima_rois import LINE_COLUMNS, ROI_COLUMNS, PlannedRoi, line_rows
from eval.intima_segmentation import segment
from layerwise.applications import APPLICATIONS
from layerwise.engine import RecaffeEngine
from layerwise.errors import DataError
from layerwise.files import read_csv, write_csv
from layerwise.nets import NETS
from layerwise.run_folder import RunFolder
from prototxt.alexnet import deploy
from tools.predict_boundaries import boundaries_csv, found_lines, predict_boundaries

COLUMNS = np.arange(40, 60)


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """A data set's folder with a training and two test regions of one picture of noise."""
    picture = np.random.default_rng(0).integers(0, 256, (100, 100)).astype(np.uint8)
    cv2.imwrite(str(tmp_path / "picture.png"), picture)
    split_of = {"a": "train", "b": "test", "c": "test"}
    rois = [
        dict.fromkeys(ROI_COLUMNS, "")
        | {"roi_id": name, "group_id": name, "split": split, "path": "picture.png"}
        | {"pixel_um": 60, "top_px": 40, "bottom_px": 52 + 4 * (name == "c")}
        for name, split in split_of.items()
    ]
    (tmp_path / "rois").mkdir()
    write_csv(tmp_path / "rois" / "rois.csv", ROI_COLUMNS, rois)
    lines = [row for name in split_of for row in line_rows(name, COLUMNS, np.full(20, 44.0), np.full(20, 49.0))]
    write_csv(tmp_path / "rois" / "boundaries.csv", LINE_COLUMNS, lines)
    return tmp_path


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """A run's folder with an untrained net."""
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    param = deploy(APPLICATIONS["intima"], NETS["alexnet_half"], 2)
    folder.deploy_prototxt.write_text(text.format(param))
    net = caffe.Net(str(folder.deploy_prototxt), caffe.TEST)
    draw = np.random.default_rng(0)
    for weight, bias in net.params.values():
        weight.data[...] = draw.normal(0, np.sqrt(1.5 / weight.data[0].size), weight.data.shape)
        bias.data[...] = 0.01
    net.save(str(folder.best_caffemodel))
    return folder


def test_every_column_of_every_test_region_gets_both_boundaries_from_the_maps_that_are_kept(
    dataset: Path, folder: RunFolder
) -> None:
    assert predict_boundaries(RecaffeEngine(), "cpu", folder, dataset) == 2
    rows = read_csv(boundaries_csv(folder))
    assert [(row["roi_id"], int(row["column_px"])) for row in rows] == [(name, x) for name in "bc" for x in COLUMNS]
    assert sorted(path.name for path in (folder.path / "maps").iterdir()) == ["b.npz", "c.npz"]
    for name in "bc":
        kept = np.load(folder.path / "maps" / f"{name}.npz")
        assert kept["maps"].dtype == np.float16
        assert kept["maps"].shape == (3, len(kept["rows_px"]), len(kept["columns_px"]))
        assert kept["maps"].sum(axis=0) == pytest.approx(1, abs=2e-3)
        grid = MapGrid(kept["rows_px"], kept["columns_px"])
        assert (grid.rows_px[0], grid.columns_px[0]) == (40, 40)
        own = [(float(row["li_px"]), float(row["ma_px"])) for row in rows if row["roi_id"] == name]
        assert all(40 <= li < ma for li, ma in own)
    assert list(folder.path.glob(".*")) == []  # nothing half-written is left


def test_the_convolutional_net_is_left_for_people_to_read(dataset: Path, folder: RunFolder) -> None:
    predict_boundaries(RecaffeEngine(), "cpu", folder, dataset)
    net = read_net(folder.path / "deploy_conv.prototxt")
    kinds = {layer.name: layer.type for layer in net.layer}
    assert [kinds[name] for name in ("fc6-conv", "fc7-conv", "fc8_intima-conv")] == ["Convolution"] * 3
    assert (folder.path / "deploy_conv.prototxt").read_text().startswith("# Net surgery of deploy.prototxt")


def test_lines_of_the_maps_become_rows_of_the_image() -> None:
    roi = PlannedRoi("r", "s", "test", Path("none"), 60.0, 10, 50, COLUMNS, np.zeros(20), np.zeros(20))
    grid = MapGrid(10 + 1.5 * np.arange(27), 40 + 1.5 * np.arange(14))
    rows = np.arange(27)[:, None] + np.zeros(14)
    maps = np.stack([0 * rows, np.exp(-((rows - 8.2) ** 2) / 5), np.exp(-((rows - 15.6) ** 2) / 5)])
    found = found_lines(roi, grid, maps)
    assert [row["column_px"] for row in found] == COLUMNS.tolist()
    li, ma = segment(maps[1], maps[2])
    assert [row["li_px"] for row in found] == pytest.approx(
        10 + 1.5 * np.interp(COLUMNS, grid.columns_px, li), abs=1e-3
    )
    assert [row["ma_px"] for row in found] == pytest.approx([10 + 1.5 * 15.6] * 20, abs=0.3)
    assert np.mean(ma - li) == pytest.approx(7.4, abs=0.2)


def test_a_region_that_is_too_low_for_two_boundaries_is_named() -> None:
    roi = PlannedRoi("low", "s", "test", Path("none"), 60.0, 10, 11, COLUMNS, np.zeros(20), np.zeros(20))
    grid = MapGrid(10 + 1.5 * np.arange(2), 40 + 1.5 * np.arange(14))
    with pytest.raises(DataError, match="low: maps of 2 rows"):
        found_lines(roi, grid, np.zeros((3, 2, 14)))
