"""Confidence maps drawn by hand, and the boundaries that argmax and snakes must find in them."""

from __future__ import annotations

import numpy as np
import pytest

from eval.intima_segmentation import argmax_rows, relax_snake, segment

HEIGHT, WIDTH = 60, 92
X = np.arange(WIDTH)
LI = 22 + 5 * np.sin(X / 23)
MA = LI + 9 + 1.2 * np.sin(X / 11)


def ridge(rows: np.ndarray, strength: np.ndarray | float = 1.0) -> np.ndarray:
    """A map that is largest on the line of `rows`."""
    off = np.arange(HEIGHT)[:, None] - rows
    return strength * np.exp(-0.5 * (off / 1.5) ** 2)


def with_slips(rng: np.random.Generator, rows: np.ndarray, share: float) -> np.ndarray:
    """A ridge on which a share of the columns answers elsewhere."""
    slipped = np.where(rng.random(WIDTH) < share, rng.uniform(3, HEIGHT - 3, WIDTH), rows)
    return 0.5 * ridge(rows) + 0.8 * ridge(slipped)


def test_drawn_boundaries_are_found_within_half_a_pixel_in_every_column() -> None:
    li, ma = segment(ridge(LI), ridge(MA))
    assert np.abs(li - LI).max() < 0.5
    assert np.abs(ma - MA).max() < 0.5


def test_snakes_find_rows_between_pixels() -> None:
    li, ma = segment(ridge(np.full(WIDTH, 20.4)), ridge(np.full(WIDTH, 30.7)))
    assert np.abs(li - 20.4).max() < 0.1
    assert np.abs(ma - 30.7).max() < 0.1


def test_snakes_leave_a_trembling_line_smoother_than_the_argmax() -> None:
    rng = np.random.default_rng(0)
    maps = [ridge(line + rng.normal(0, 1, WIDTH), rng.uniform(0.6, 1, WIDTH)) for line in (LI, MA)]
    for found, stepped, line in zip(segment(maps[0], maps[1]), argmax_rows(maps[0], maps[1]), (LI, MA), strict=True):
        assert np.abs(found - line).mean() < 0.5
        assert np.abs(found - line).mean() < 0.6 * np.abs(stepped - line).mean()


def test_isolated_slips_of_the_argmax_do_not_carry_the_snake_away() -> None:
    rng = np.random.default_rng(1)
    maps = [with_slips(rng, line, 0.08) for line in (LI, MA)]
    stepped = argmax_rows(maps[0], maps[1])
    assert max(np.abs(stepped[0] - LI).max(), np.abs(stepped[1] - MA).max()) > 8  # there are slips
    li, ma = segment(maps[0], maps[1])
    assert np.abs(li - LI).mean() < 0.5
    assert np.abs(ma - MA).mean() < 0.5


def test_argmax_takes_the_largest_where_the_two_are_in_order() -> None:
    rng = np.random.default_rng(2)
    li_map, ma_map = rng.random((30, 200)), rng.random((30, 200))
    li, ma = argmax_rows(li_map, ma_map)
    free_li, free_ma = li_map.argmax(axis=0), ma_map.argmax(axis=0)
    in_order = free_li + 2 <= free_ma
    assert in_order.sum() > 50
    assert np.array_equal(li[in_order], free_li[in_order])
    assert np.array_equal(ma[in_order], free_ma[in_order])


def test_argmax_keeps_the_order_by_the_best_pair() -> None:
    rng = np.random.default_rng(3)
    li_map, ma_map = rng.random((12, 50)), rng.random((12, 50))
    li, ma = argmax_rows(li_map, ma_map, 3)
    for column in range(50):
        sums = {(a, b): li_map[a, column] + ma_map[b, column] for a in range(12) for b in range(12) if b >= a + 3}
        assert (li[column], ma[column]) == max(sums, key=lambda pair: sums[pair])


def test_media_adventitia_stays_below_lumen_intima_even_where_the_maps_say_otherwise() -> None:
    li, ma = segment(ridge(np.full(WIDTH, 30.0)), ridge(np.full(WIDTH, 24.0)), least_apart=3)
    assert np.all(ma - li >= 3 - 1e-9)


def test_a_line_at_the_border_of_the_region_stays_in_it() -> None:
    found = relax_snake(ridge(np.zeros(WIDTH)), np.zeros(WIDTH, np.int64))
    assert found.min() >= 0
    assert found.max() < 1


@pytest.mark.parametrize(
    ("li_map", "ma_map", "said"),
    [
        (np.zeros((5, 4)), np.zeros((5, 3)), "of one shape"),
        (np.zeros(5), np.zeros(5), "of one shape"),
        (np.full((5, 4), np.nan), np.zeros((5, 4)), "map of LI holds 20"),
        (np.zeros((2, 4)), np.zeros((2, 4)), "2 apart"),
    ],
)
def test_maps_that_cannot_be_are_refused(li_map: np.ndarray, ma_map: np.ndarray, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        argmax_rows(li_map, ma_map)
