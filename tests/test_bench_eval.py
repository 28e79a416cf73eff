"""make bench-eval: what it measures, and what it says where a peer is not there."""

from __future__ import annotations

import sys
from pathlib import Path

from eval.froc import froc_curve
from tools import bench_eval


def test_the_study_has_the_size_that_is_claimed():
    matches, group, lesions, images = bench_eval.study(bench_eval.CANDIDATES)
    assert len(matches.score) == len(group) == bench_eval.CANDIDATES == 100_000
    assert (len(lesions), lesions.sum(), images.sum()) == (200, bench_eval.LESIONS, bench_eval.IMAGES)
    assert len(froc_curve(matches, bench_eval.LESIONS, bench_eval.IMAGES).thresholds) == 100_000


def test_a_peer_that_is_not_installed_is_named_and_not_measured(monkeypatch):
    monkeypatch.setattr(bench_eval, "PEER_CANDIDATES", 100)
    without = "import sys; sys.modules.update(monai=None, picai_eval=None)\n"
    monkeypatch.setattr(bench_eval, "PEER", without + bench_eval.PEER)
    found = bench_eval.peers(Path(sys.executable))
    assert set(found) == {"MONAI", "picai_eval"}
    assert all("halted" in str(reason) for reason in found.values())  # Python's word for a module that is None


def test_a_python_that_fails_is_quoted(monkeypatch):
    monkeypatch.setattr(bench_eval, "PEER_CANDIDATES", 100)
    monkeypatch.setattr(bench_eval, "PEER", "no_such_name")
    assert bench_eval.peers(Path(sys.executable)) == {sys.executable: "NameError: name 'no_such_name' is not defined"}
