"""Early stopping as a state machine: what it keeps, when it stops, what it remembers."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.early_stopping import Decision, EarlyStopping

AUCS = st.lists(st.floats(0, 1), min_size=1, max_size=30)


def run(stopping, aucs):
    return [stopping.update(10 * (index + 1), auc) for index, auc in enumerate(aucs)]


def test_best_is_known_only_afterwards_and_kept():
    """AUC   0.7   0.9   0.8   0.8        patience 2
    keep     yes   yes   no    no         stop at the fourth, the result is the second."""
    stopping = EarlyStopping(patience=2)
    decisions = run(stopping, [0.7, 0.9, 0.8, 0.8])
    assert [decision.improved for decision in decisions] == [True, True, False, False]
    assert [decision.stop for decision in decisions] == [False, False, False, True]
    assert (stopping.best_iteration, stopping.best_auc) == (20, 0.9)


def test_equal_auc_is_no_improvement_so_the_earlier_snapshot_stays():
    stopping = EarlyStopping(patience=5)
    assert run(stopping, [0.8, 0.8])[1] == Decision(improved=False, stop=False)
    assert stopping.best_iteration == 10


def test_improvement_refills_patience():
    decisions = run(EarlyStopping(patience=2), [0.5, 0.4, 0.6, 0.5, 0.4])
    assert [decision.stop for decision in decisions] == [False, False, False, False, True]


def test_first_validation_always_improves_even_at_zero():
    assert EarlyStopping(patience=1).update(0, 0.0) == Decision(improved=True, stop=False)


@given(aucs=AUCS, cut=st.integers(0, 30), patience=st.integers(1, 4))
def test_state_through_json_continues_as_if_never_interrupted(aucs, cut, patience):
    whole = EarlyStopping(patience)
    expected = run(whole, aucs)
    first = EarlyStopping(patience)
    before = run(first, aucs[:cut])
    second = EarlyStopping(**json.loads(json.dumps(first.state())))
    after = [second.update(10 * (cut + index + 1), auc) for index, auc in enumerate(aucs[cut:])]
    assert before + after == expected
    assert second == whole


@given(AUCS)
def test_best_is_the_first_maximum(aucs):
    stopping = EarlyStopping(patience=100)
    run(stopping, aucs)
    assert stopping.best_iteration == 10 * (aucs.index(max(aucs)) + 1)


@pytest.mark.parametrize("auc", [math.nan, math.inf, -0.1, 1.1])
def test_auc_that_is_none_is_refused(auc):
    with pytest.raises(ValueError, match="AUC"):
        EarlyStopping(patience=3).update(1, auc)


def test_iteration_must_rise():
    stopping = EarlyStopping(patience=3)
    stopping.update(5, 0.5)
    with pytest.raises(ValueError, match="iteration 5"):
        stopping.update(5, 0.6)


def test_patience_of_zero_is_refused():
    with pytest.raises(ValueError, match="patience"):
        EarlyStopping(patience=0)
