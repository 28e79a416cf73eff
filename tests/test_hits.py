"""Hit criteria: one picture a rule."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from eval.froc_study import read_study
from eval.hits import hit_criterion
from layerwise.errors import DataError, UsageError


def hits(folder, candidates, lesions, rule):
    """The lesion id that each candidate hits, "" for none; the tables as text, ids and groups filled in by hand."""
    (folder / "candidates.csv").write_text(candidates)
    (folder / "lesions.csv").write_text(lesions)
    study = read_study(folder / "candidates.csv", folder / "lesions.csv", 5, hit_criterion(rule))
    names = [line.split(",")[0] for line in lesions.split()[1:]]
    return [names[lesion] if lesion >= 0 else "" for lesion in study.systems[0].matches.lesion]


def test_centre_within_radius_includes_the_rim_and_takes_the_nearest(tmp_path):
    """image 1:  A at (0, 0) and B at (8, 0), radius 5; points on A's rim, in both but nearer to B, outside
    image 2:  C at (0, 0): the same place in another image is another place."""
    candidates = (
        "candidate_id,image_id,group_id,score,x,y\n1,i1,g,1,-3,4\n2,i1,g,1,4.5,0\n3,i1,g,1,20,0\n4,i2,g,1,0,0\n"
    )
    lesions = "lesion_id,image_id,group_id,x,y,radius\nA,i1,g,0,0,5\nB,i1,g,8,0,5\nC,i2,g,0,0,1\n"
    assert hits(tmp_path, candidates, lesions, "centre-within-radius") == ["A", "B", "", "C"]


def test_a_box_stands_for_its_centre_where_a_point_is_asked_for_also_in_3d(tmp_path):
    candidates = "candidate_id,image_id,group_id,score,x0,y0,z0,x1,y1,z1\n1,i,g,1,0,0,0,4,4,4\n2,i,g,1,0,0,4,4,4,8\n"
    lesions = "lesion_id,image_id,group_id,x,y,z,radius\nA,i,g,2,2,2,1\n"
    assert hits(tmp_path, candidates, lesions, "centre-within-radius") == ["A", ""]


def test_iou_must_be_above_and_the_largest_wins(tmp_path):
    """A is [0, 4) x [0, 4), B is [2, 6) x [0, 4). Candidates: [0, 4) x [0, 2): half of A, exactly 0.5 is not above;
    [0, 4) x [0, 3): 0.75 of A;  [1.9, 5.9) x [0, 4): A 0.36, B 0.95;  far away."""
    candidates = (
        "candidate_id,image_id,group_id,score,x0,y0,x1,y1\n"
        "1,i,g,1,0,0,4,2\n2,i,g,1,0,0,4,3\n3,i,g,1,1.9,0,5.9,4\n4,i,g,1,90,90,91,91\n"
    )
    lesions = "lesion_id,image_id,group_id,x0,y0,x1,y1\nA,i,g,0,0,4,4\nB,i,g,2,0,6,4\n"
    assert hits(tmp_path, candidates, lesions, "iou-above-0.5") == ["", "A", "B", ""]
    assert hits(tmp_path, candidates, lesions, "iou-above-0.3") == ["A", "A", "B", ""]


@pytest.mark.parametrize("kind", ["npy", "png"])
def test_centre_in_mask_reads_the_pixel_of_the_centre(tmp_path, kind):
    """x:    0 1 2 3
    y = 0:   1 1 0 2      (1.99, 0.5) lies in pixel 1, (2, 0.5) in pixel 2; x is the column
    y = 1:   0 0 0 2      outside of the picture nothing is hit."""
    mask = np.array([[1, 1, 0, 2], [0, 0, 0, 2]], dtype=np.uint8)
    if kind == "npy":
        np.save(tmp_path / "m.npy", mask)
    else:
        (tmp_path / "m.png").write_bytes(cv2.imencode(".png", mask)[1].tobytes())
    points = [(1.99, 0.5), (2, 0.5), (3, 1), (-0.5, 0), (4, 0), (0, 1e300)]
    rows = "".join(f"{n},i,g,1,{x},{y}\n" for n, (x, y) in enumerate(points))
    lesions = f"lesion_id,image_id,group_id,mask,mask_value\nA,i,g,m.{kind},1\nB,i,g,m.{kind},2\n"
    found = hits(tmp_path, "candidate_id,image_id,group_id,score,x,y\n" + rows, lesions, "centre-in-mask")
    assert found == ["A", "", "B", "", "", ""]


def test_a_mask_without_value_is_all_that_is_not_background_of_a_volume_too(tmp_path):
    mask = np.zeros((2, 3, 4), dtype=np.int16)
    mask[1, 2, 3] = 7
    np.save(tmp_path / "m.npy", mask)
    candidates = "candidate_id,image_id,group_id,score,x,y,z\n1,i,g,1,3.5,2.5,1.5\n2,i,g,1,3.5,2.5,0.5\n"
    lesions = "lesion_id,image_id,group_id,mask\nA,i,g,m.npy\n"
    assert hits(tmp_path, candidates, lesions, "centre-in-mask") == ["A", ""]


POINT = "candidate_id,image_id,group_id,score,x,y\n1,i,g,1,3,2\n"
BOX = "candidate_id,image_id,group_id,score,x0,y0,x1,y1\n1,i,g,1,3,2,3,9\n"


@pytest.mark.parametrize(
    ("candidates", "lesion_columns", "lesion", "rule", "complaint"),
    [
        (POINT, "x,y", "1,2", "centre-within-radius", "lesions.csv, line 1: column radius is missing"),
        (
            POINT,
            "x,y,radius",
            "1,2,0",
            "centre-within-radius",
            r"lesions.csv, row 1 \(line 2\), column radius: found 0",
        ),
        (POINT, "x,y,z,radius", "1,2,3,1", "centre-within-radius", "2 axes and .* 3: give z in both"),
        (POINT, "radius", "1", "centre-within-radius", "neither a point"),
        (POINT, "x0,y0,x1,y1", "1,1,2,2", "iou-above-0", "candidates.csv, line 1: column x0, y0 is missing"),
        (BOX, "x0,y0,x1,y1", "1,1,2,2", "iou-above-0", r"candidates.csv, row 1 \(line 2\), column x1: found 3"),
        (POINT, "x,y,radius", "1,nan,1", "centre-within-radius", "column y: found 'nan'"),
        (POINT, "mask", "none.npy", "centre-in-mask", "column mask: .*none.npy is missing"),
        (POINT, "mask,mask_value", "cube.npy,1", "centre-in-mask", "has 3 axes"),
        (POINT, "mask,mask_value", "flat.npy,0", "centre-in-mask", "column mask_value: found '0'"),
        (POINT, "mask", "flat.npy\nB,i,g,flat.npy", "centre-in-mask", "has two lesions"),
        (POINT, "mask", "code.npy", "centre-in-mask", "no mask"),
    ],
)
def test_places_that_cannot_be_meant_are_refused(tmp_path, candidates, lesion_columns, lesion, rule, complaint):
    np.save(tmp_path / "flat.npy", np.ones((9, 9), dtype=np.uint8))
    np.save(tmp_path / "cube.npy", np.ones((9, 9, 9), dtype=np.uint8))
    np.save(tmp_path / "code.npy", np.array([{}], dtype=object), allow_pickle=True)
    lesions = f"lesion_id,image_id,group_id,{lesion_columns}\nA,i,g,{lesion}\n"
    with pytest.raises(DataError, match=complaint):
        hits(tmp_path, candidates, lesions, rule)


@pytest.mark.parametrize("rule", ["overlap", "iou-above-1", "iou-above-", "iou-above-nan"])
def test_a_rule_that_does_not_exist_is_answered_with_those_that_do(rule):
    with pytest.raises(UsageError, match="centre-in-mask"):
        hit_criterion(rule)
