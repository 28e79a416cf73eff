"""Holm's correction, against arithmetic on paper and against the procedure itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.holm import holm


def test_worked_example():
    """Sorted: 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1 gives 0.02, 0.03, 0.06, 0.04; the last may not fall back."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_one_comparison_stays_and_none_stays_empty():
    assert holm([0.03]) == [0.03]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=8), st.floats(0.001, 0.999))
def test_below_alpha_where_the_procedure_rejects(p_values, alpha):
    """Holm 1979: from the smallest p value on, stop at the first that is not below alpha / (those left)."""
    rejected = set()
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        if (len(p_values) - rank) * p_values[index] >= alpha:
            break
        rejected.add(index)
    assert {index for index, p in enumerate(holm(p_values)) if p < alpha} == rejected


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
def test_what_is_no_p_value_is_an_error(p):
    with pytest.raises(ValueError, match="p value"):
        holm([0.5, p])
