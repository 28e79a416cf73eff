"""Nets joined at random are built as real Caffe builds them, and send the same gradients."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import random_graphs
import recaffe

FIRST, LAST = 0, 60


@pytest.mark.caffe
def test_random_nets_are_built_as_real_caffe_builds_them(real_caffe, tmp_path: Path):
    run = "import runpy, sys; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    real_caffe(run, random_graphs.__file__, FIRST, LAST, tmp_path / "real.json", cwd=tmp_path)
    for seed, expected in enumerate(json.loads((tmp_path / "real.json").read_text()), FIRST):
        found = random_graphs.description(recaffe, seed, str(tmp_path / "net.prototxt"))
        text = random_graphs.net_text(seed)
        assert found.pop("numbers") == pytest.approx(expected.pop("numbers"), rel=2e-4, abs=1e-6), text
        assert found == expected, text
