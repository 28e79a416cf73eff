"""When a run validates, and at which rate it learns."""

from __future__ import annotations

from pathlib import Path

import pytest

from prototxt.generate import RunPrototxt
from tools.train import regular_validations, step_rate, validation_iterations


def files(per_epoch: int, max_iter: int) -> RunPrototxt:
    return RunPrototxt(Path("t"), Path("d"), Path("s"), per_epoch, max_iter)


def test_validates_four_times_an_epoch_and_at_the_end():
    assert sorted(regular_validations(files(100, 230))) == [25, 50, 75, 100, 125, 150, 175, 200, 225, 230]


def test_validates_a_few_times_before_the_first_quarter():
    assert validation_iterations(files(100, 100)) == [1, 2, 5, 10, 20, 25, 50, 75, 100]


def test_tiny_epochs_validate_at_every_iteration():
    assert validation_iterations(files(2, 5)) == [1, 2, 3, 4, 5]


def test_rate_falls_by_gamma_once_per_epoch():
    rate = step_rate(files(100, 300))
    assert [rate(k) for k in (0, 99, 100, 200)] == pytest.approx([1e-3, 1e-3, 0.95e-3, 0.95**2 * 1e-3])
