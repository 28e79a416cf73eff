"""The rival of `frames`: the error of rebuilt frames against a slow loop, its pooling, and a whole rating."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.fft import dctn, idctn
from sklearn.metrics import roc_auc_score

from handcrafted import frames
from handcrafted.frames import LEVELS, REBUILDINGS, Rebuilding, describe, histograms, rebuilding_error
from handcrafted.rival import RivalInputs
from layerwise.files import write_csv

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def small_forests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "TREES", 30)


def test_the_error_is_that_of_every_cell_rebuilt_of_its_largest_coefficients() -> None:
    grey = RNG.uniform(0, 255, (19, 26)).astype(np.float32)
    expected = np.zeros((16, 24))
    for top in (0, 8):
        for left in (0, 8, 16):
            cell = grey[top : top + 8, left : left + 8].astype(np.float64)
            kept = np.asarray(dctn(cell, norm="ortho"))
            kept[np.abs(kept) < np.sort(np.abs(kept), axis=None)[-8]] = 0  # an eighth of 64
            expected[top : top + 8, left : left + 8] = np.abs(cell - np.asarray(idctn(kept, norm="ortho")))
    np.testing.assert_allclose(rebuilding_error(grey, Rebuilding(8, 1 / 8)), expected, atol=1e-3)


def test_a_frame_of_few_cosines_is_rebuilt_and_one_of_more_is_not() -> None:
    columns = np.arange(64)
    wave = np.tile(100 + 20 * np.cos(np.pi * (2 * columns + 1) / 8), (32, 1)).astype(np.float32)
    assert rebuilding_error(wave, Rebuilding(16, 1 / 32)).max() < 1e-3
    assert rebuilding_error(wave + RNG.normal(0, 5, wave.shape).astype(np.float32), Rebuilding(16, 1 / 32)).mean() > 1


def test_histograms_are_shares_of_each_part() -> None:
    error = np.zeros((4, 6))
    error[:2, 3:] = 5.0  # between 4 and 6
    (whole,) = histograms(error, 1)
    assert whole.nonzero()[0].tolist() == [0, LEVELS.index(6)]
    np.testing.assert_allclose(whole[[0, LEVELS.index(6)]], [0.75, 0.25])
    quarters = histograms(error, 2)
    assert quarters.argmax(axis=1).tolist() == [0, LEVELS.index(6), 0, 0]
    np.testing.assert_allclose(quarters.sum(axis=1), 1)


@pytest.mark.parametrize("shape", [(350, 500), (100, 64), (1080, 1920)])
def test_frames_of_every_size_have_the_same_features(shape: tuple[int, int]) -> None:
    found = describe(np.full((*shape, 3), 90, np.uint8), REBUILDINGS[0])
    assert (found.shape, found.dtype) == ((210,), np.float32)
    assert found.reshape(-1, len(LEVELS) + 1)[:, 0].min() == 1  # nothing to see, nothing lost


def prepared(place: Path, n_videos: int = 6, n_frames: int = 4, val_shares_frames: bool = False) -> RivalInputs:
    """What data_prep leaves, as far as a rival reads it: sharp noise is informative, blurred noise is not."""
    table, patches = [], []
    (place / "raw").mkdir(parents=True)
    for video in range(n_videos):
        for number in range(n_frames):
            image = cv2.GaussianBlur(RNG.uniform(0, 255, (70, 90, 3)), (0, 0), 4.0 if number % 2 else 1.2)
            frame_id, label = f"v{video}/{number}", 1 - number % 2
            path = f"raw/{video}_{number}.png"
            assert cv2.imwrite(str(place / path), cv2.normalize(image, image.copy(), 0, 255, cv2.NORM_MINMAX))
            split = ("train", "train", "val", "test", "test", "test")[video]
            row = {"frame_id": frame_id, "group_id": f"v{video}", "label": label}
            table.append({**row, "split": split, "path": path})
            patches.append({**row, "key": f"{split}{frame_id}", "split": split})
            if val_shares_frames and split == "train":
                patches.append({**row, "key": f"again{frame_id}", "split": "val"})
    if val_shares_frames:
        patches = [row for row in patches if row["group_id"] != "v2"]
    write_csv(place / "frames" / "frames.csv", tuple(table[0]), table)
    write_csv(place / "patches-131" / "patches.csv", tuple(patches[0]), patches)
    return RivalInputs(place, place / "raw", place / "patches-131", seed=3, workers=1)


def test_every_test_frame_is_rated_and_only_those(tmp_path: Path) -> None:
    inputs = prepared(tmp_path)
    rated = frames.rate(inputs)
    assert rated.file == "scores.csv"
    assert [row["key"] for row in rated.rows] == [f"v{v}/{k}" for v in (3, 4, 5) for k in range(4)]
    assert all(row["key"] == row["frame_id"] and set(row) == set(rated.columns) for row in rated.rows)
    scores = [float(row["score"]) for row in rated.rows]
    assert all(0 <= score <= 1 for score in scores)
    assert roc_auc_score([int(row["label"]) for row in rated.rows], scores) == 1
    assert rated.facts["fitted_on"] == {"train": 8, "val": 4}
    assert rated.facts["val_auc"] == max(item["val_auc"] for item in rated.facts["val_auc_of"])
    assert frames.rate(inputs).rows == rated.rows


def test_two_workers_and_frames_out_of_the_training_set_change_nothing(tmp_path: Path) -> None:
    inputs = prepared(tmp_path)
    rows = (tmp_path / "patches-131" / "patches.csv").read_text().splitlines(keepends=True)
    kept = [row for row in rows if "v1/" not in row]
    (tmp_path / "patches-131" / "patches.csv").write_text("".join(kept))
    alone = frames.rate(inputs)
    assert alone.facts["fitted_on"] == {"train": 4, "val": 4}
    for image in (tmp_path / "raw").glob("1_*.png"):
        image.unlink()
    both = frames.rate(RivalInputs(inputs.dataset_dir, inputs.source, inputs.database, seed=3, workers=2))
    assert (both.rows, both.facts) == (alone.rows, alone.facts)


def test_without_frames_of_val_alone_nothing_is_chosen(tmp_path: Path) -> None:
    facts = frames.rate(prepared(tmp_path, val_shares_frames=True)).facts
    assert facts["fitted_on"] == {"train": 8, "val": 0}
    assert (facts["val_auc"], facts["val_auc_of"]) == (None, [])
