"""The rival of intima: the best pair of lines by gradients and dynamic programming."""

from __future__ import annotations

import itertools
from pathlib import Path

import cv2
import numpy as np
import pytest

from data_prep.intima_rois import LINE_COLUMNS, ROI_COLUMNS, line_rows
from handcrafted.intima import best_pairs, detect_boundaries, rate
from handcrafted.rival import BOUNDARIES, RivalInputs
from layerwise.errors import DataError
from layerwise.files import write_csv

COLUMNS = np.arange(20, 112)
LI, MA = 45 + 0.03 * np.arange(92), 57 + 0.03 * np.arange(92)


def wall(rows: np.ndarray, li: np.ndarray, ma: np.ndarray) -> np.ndarray:
    """Dark lumen, bright intima of three pixels, dark media, bright adventitia: (H, W) uint8."""
    image = (
        5
        + 150 * np.clip(rows - li + 0.5, 0, 1)
        - 110 * np.clip(rows - li - 2.5, 0, 1)
        + 200 * np.clip(rows - ma + 0.5, 0, 1)
    )
    return np.clip(image, 0, 255).astype(np.uint8)


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """A data set's folder with two drawn regions, one of them for testing."""
    picture = np.zeros((120, 140), np.uint8)
    picture[:, COLUMNS] = wall(np.arange(120)[:, None], LI, MA)
    cv2.imwrite(str(tmp_path / "picture.png"), picture)
    split_of = {"a": "train", "b": "test"}
    rois = [
        dict.fromkeys(ROI_COLUMNS, "")
        | {"roi_id": name, "group_id": name, "split": split, "path": "picture.png"}
        | {"pixel_um": 60, "top_px": 20, "bottom_px": 80}
        for name, split in split_of.items()
    ]
    (tmp_path / "rois").mkdir()
    write_csv(tmp_path / "rois" / "rois.csv", ROI_COLUMNS, rois)
    lines = [row for name in split_of for row in line_rows(name, COLUMNS, LI, MA)]
    write_csv(tmp_path / "rois" / "boundaries.csv", LINE_COLUMNS, lines)
    return tmp_path


def inputs(dataset: Path) -> RivalInputs:
    return RivalInputs(dataset, dataset, dataset / "patches-259", seed=0, workers=1)


def test_the_test_regions_get_both_boundaries_in_every_column_of_the_experts(dataset: Path) -> None:
    rated = rate(inputs(dataset))
    assert (rated.file, rated.columns) == (BOUNDARIES, LINE_COLUMNS)
    assert [(row["roi_id"], row["column_px"]) for row in rated.rows] == [("b", column) for column in COLUMNS]
    found = np.array([(row["li_px"], row["ma_px"]) for row in rated.rows])
    assert np.abs(found - np.stack([LI, MA], axis=1)).mean() < 0.5


def test_it_says_that_nothing_is_fitted(dataset: Path) -> None:
    facts = rate(inputs(dataset)).facts
    assert facts["fitted_on"] == {"train": 0, "val": 0}
    assert "a reduced training set changes nothing" in facts["description"]


def test_a_region_that_is_too_low_is_named(dataset: Path) -> None:
    rois = dataset / "rois" / "rois.csv"
    rois.write_text(rois.read_text().replace(",20,80,", ",40,44,"))
    with pytest.raises(DataError, match="b: a region of 4 rows"):
        rate(inputs(dataset))


def test_dynamic_programming_finds_the_best_sequence_of_pairs() -> None:
    rng = np.random.default_rng(0)
    li_score, ma_score = rng.random((2, 5, 4))
    best = -np.inf, ((), ())
    pairs = [(a, b) for a in range(5) for b in range(5) if 1 <= b - a <= 3]
    routes: list[tuple[tuple[int, int], ...]] = [(pair,) for pair in pairs]
    for _ in range(3):
        routes = [
            (*route, pair)
            for route in routes
            for pair in pairs
            if abs(pair[0] - route[-1][0]) <= 1 and abs(pair[1] - route[-1][1]) <= 1
        ]
    for route in routes:
        moves = sum(abs(p[0] - q[0]) + abs(p[1] - q[1]) for p, q in itertools.pairwise(route))
        total = sum(li_score[a, c] + ma_score[b, c] for c, (a, b) in enumerate(route)) - 0.1 * moves
        best = max(best, (total, tuple(zip(*route, strict=True))))
    li, ma = best_pairs(li_score, ma_score, 1, 3, 0.1)
    assert (tuple(li), tuple(ma)) == best[1]


def test_the_rival_finds_drawn_boundaries_within_half_a_pixel() -> None:
    rows, x = np.arange(60)[:, None], np.arange(92)
    li, ma = 25 + 0.03 * x, 37 + 0.03 * x
    found_li, found_ma = detect_boundaries(wall(rows, li, ma), 60.0)
    assert np.abs(found_li - li).mean() < 0.5
    assert np.abs(found_ma - ma).mean() < 0.5


def test_a_region_too_low_for_a_wall_is_refused() -> None:
    with pytest.raises(ValueError, match="4 rows"):
        detect_boundaries(np.zeros((4, 50), np.uint8), 60.0)
