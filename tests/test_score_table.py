"""Scores of patches beside what patches.csv knows of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from layerwise.errors import DataError
from layerwise.files import read_csv
from tools.score_table import score_table

PATCHES = """key,label,group_id,split,frame_id,scale
k1,1,v1,val,v1/3,1.0
k2,0,v1,val,v1/4,1.5
k3,1,v2,test,v2/1,1.0
"""


def test_ids_of_the_patches_follow_the_scores_in_the_databases_order(tmp_path: Path) -> None:
    (tmp_path / "patches.csv").write_text(PATCHES)
    score_table(tmp_path, "val", ["k2", "k1"], np.array([0, 1])).write(tmp_path / "s.csv", np.array([0.25, 1 / 3]))
    assert (tmp_path / "s.csv").read_text() == (
        "key,group_id,label,score,frame_id\nk2,v1,0,0.25,v1/4\nk1,v1,1,0.333333333,v1/3\n"
    )
    assert read_csv(tmp_path / "s.csv")[0]["frame_id"] == "v1/4"


@pytest.mark.parametrize(("key", "label"), [("k3", 1), ("k9", 1), ("k1", 0)])
def test_a_key_of_another_split_or_label_is_refused(tmp_path: Path, key: str, label: int) -> None:
    (tmp_path / "patches.csv").write_text(PATCHES)
    with pytest.raises(DataError, match=f"key {key} with label {label} is not in patches.csv"):
        score_table(tmp_path, "val", [key], np.array([label]))
