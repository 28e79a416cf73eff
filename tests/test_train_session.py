"""The driver's side of training, fed with events by hand: no engine, no net."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from eval.early_stopping import EarlyStopping
from layerwise.errors import EngineError
from layerwise.files import read_csv, read_json
from layerwise.run_folder import RunFolder
from tools.train_session import TrainSession

LABELS = np.array([0, 0, 1, 1])
GOOD, FAIR, BAD = [0.1, 0.2, 0.8, 0.9], [0.1, 0.7, 0.6, 0.9], [0.9, 0.8, 0.2, 0.1]  # AUC 1, 0.75, 0


def make_session(path: Path, patience: int = 2, max_iter: int = 100) -> TrainSession:
    return TrainSession(RunFolder(path), LABELS, 32, 4, max_iter, lambda iteration: 0.001, EarlyStopping(patience))


def validate(session: TrainSession, iteration: int, scores: list[float]) -> dict:
    """One step and its validation; if the session wants a snapshot, its two files are made and reported."""
    session.on_event({"event": "step", "iteration": iteration, "loss": 0.5, "seconds": 0.1})
    reply = session.on_event({"event": "scores", "iteration": iteration, "scores": scores})
    if reply["snapshot"]:
        paths = {kind: session.folder.path / f"s_iter_{iteration}.{kind}" for kind in ("caffemodel", "solverstate")}
        for file in paths.values():
            file.write_text(f"{iteration}")
        session.on_event({"event": "snapshot", "iteration": iteration, **{k: str(v) for k, v in paths.items()}})
    return reply


def test_best_snapshot_is_kept_when_later_ones_are_worse(tmp_path):
    session = make_session(tmp_path)
    validate(session, 1, FAIR)
    validate(session, 2, GOOD)
    validate(session, 3, BAD)
    assert session.folder.best_caffemodel.read_text() == "2"
    assert session.best_iteration == 2


def test_scores_kept_are_those_of_the_best_snapshot(tmp_path):
    kept: list[list[float]] = []
    session = make_session(tmp_path)
    session.keep_best_scores = lambda scores: kept.append(scores.tolist())
    for iteration, scores in ((1, FAIR), (2, GOOD), (4, BAD)):  # an epoch ends at 4: a snapshot, but not the best
        validate(session, iteration, scores)
    assert kept == [FAIR, GOOD]


def test_a_resumed_run_keeps_the_scores_of_its_best_snapshot_until_a_better_one(tmp_path):
    validate(make_session(tmp_path, patience=9), 1, FAIR)
    kept: list[list[float]] = []
    again = make_session(tmp_path, patience=9)
    again.keep_best_scores = lambda scores: kept.append(scores.tolist())
    again.resume()
    validate(again, 4, BAD)
    assert kept == []
    validate(again, 5, GOOD)
    assert kept == [GOOD]


def test_snapshot_that_is_neither_best_nor_newest_is_removed(tmp_path):
    session = make_session(tmp_path, patience=5)
    for iteration, scores in ((1, FAIR), (2, GOOD), (4, BAD), (8, BAD)):  # an epoch has 4 iterations
        validate(session, iteration, scores)
    assert sorted(path.name for path in tmp_path.glob("*.solverstate")) == [
        "s_iter_2.solverstate",
        "s_iter_8.solverstate",
    ]


def test_training_stops_when_patience_is_used_up(tmp_path):
    session = make_session(tmp_path, patience=2)
    assert not validate(session, 1, GOOD)["stop"]
    assert not validate(session, 2, FAIR)["stop"]
    assert validate(session, 3, FAIR)["stop"]
    assert "no better validation AUC in 2 validations" in session.stop_reason


def test_lucky_auc_of_an_untrained_net_is_recorded_but_does_not_count(tmp_path):
    session = make_session(tmp_path)
    session.first_counted = 4
    validate(session, 1, GOOD)
    validate(session, 4, FAIR)
    assert session.best_iteration == 4
    assert [row["val_auc"] for row in read_csv(session.folder.train_csv)] == ["1.0", "0.75"]


def test_train_csv_has_an_auc_only_where_one_was_computed(tmp_path):
    session = make_session(tmp_path)
    session.on_event({"event": "step", "iteration": 1, "loss": 0.7, "seconds": 0.1})
    validate(session, 2, FAIR)
    rows = read_csv(session.folder.train_csv)
    assert [(row["iteration"], row["val_auc"]) for row in rows] == [("1", ""), ("2", "0.75")]
    assert rows[0]["images_per_s"] == "320.0"


def test_clamped_loss_stops_the_run_and_says_what_to_do(tmp_path):
    with pytest.raises(EngineError, match=r"87\.3365 at iteration 3.*diverged.*base_lr"):
        make_session(tmp_path).on_event({"event": "step", "iteration": 3, "loss": 87.3365, "seconds": 0.1})


def test_interrupt_asks_for_a_snapshot_and_stops(tmp_path):
    session = make_session(tmp_path)
    session.interrupted = True
    reply = session.on_event({"event": "step", "iteration": 1, "loss": 0.7, "seconds": 0.1})
    assert reply == {"snapshot": True, "stop": True}
    assert session.stop_reason == "interrupted"


def test_resume_takes_up_rows_patience_and_best_where_the_snapshot_was(tmp_path):
    session = make_session(tmp_path, patience=2)
    validate(session, 1, GOOD)
    validate(session, 4, FAIR)  # the end of an epoch: a snapshot, though not the best
    session.on_event({"event": "step", "iteration": 5, "loss": 0.4, "seconds": 0.1})
    session.folder.write_train_rows(session.rows)

    again = make_session(tmp_path, patience=2)
    assert again.resume() == tmp_path / "s_iter_4.solverstate"
    assert again.iteration == 4  # the row of iteration 5 has no snapshot: it is trained again
    assert again.best_iteration == 1
    assert validate(again, 5, FAIR)["stop"]  # the second validation without a better AUC


def test_resume_without_a_snapshot_is_refused(tmp_path):
    with pytest.raises(EngineError, match="nothing to resume"):
        make_session(tmp_path).resume()


def test_resume_file_names_only_snapshots_that_are_there(tmp_path):
    session = make_session(tmp_path, patience=5)
    for iteration, scores in ((1, FAIR), (2, GOOD), (4, FAIR)):
        validate(session, iteration, scores)
    named = read_json(session.folder.resume_json)["snapshots"]
    assert sorted(named) == ["2", "4"]
    assert all(Path(file).is_file() for paths in named.values() for file in paths.values())
