"""Errors of boundaries in um: from lines to errors.csv, and from errors.csv to what the paper prints."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from eval import boundary, boundary_errors
from eval.boundary import compare, describe, read_errors, summary, tukey_box
from eval.boundary_errors import Lines, errors_of_split, read_lines
from layerwise.errors import DataError

COLUMNS = np.arange(10, 20)


def lines(li: float | np.ndarray, ma: float | np.ndarray, columns: np.ndarray = COLUMNS) -> Lines:
    return Lines(
        columns, np.broadcast_to(li, columns.shape).astype(float), np.broadcast_to(ma, columns.shape).astype(float)
    )


def put(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def line_csv(path: Path, roi_id: str, li: float, ma: float) -> Path:
    return put(path, "roi_id,column_px,li_px,ma_px\n" + "".join(f"{roi_id},{x},{li},{ma}\n" for x in COLUMNS))


def test_a_line_two_pixels_too_low_is_120_um_off_at_60_um_a_pixel() -> None:
    li, ma, imt = boundary_errors.boundary_errors("r", "g", 60.0, lines(40, 50), lines(42, 49))
    assert (li.boundary, li.error_um, li.signed_um) == ("LI", 120, 120)
    assert (ma.boundary, ma.error_um, ma.signed_um) == ("MA", 60, -60)
    assert (imt.boundary, imt.error_um, imt.signed_um, imt.expert_um) == ("IMT", 180, -180, 600)


def test_distances_are_averaged_without_their_sign() -> None:
    wavy = 40 + np.where(COLUMNS % 2, 1.0, -1.0)
    li, _, imt = boundary_errors.boundary_errors("r", "g", 50.0, lines(40, 50), lines(wavy, 50))
    assert (li.error_um, li.signed_um, imt.error_um) == (50, 0, 0)


def test_found_lines_may_be_wider_than_the_experts_but_not_have_holes() -> None:
    wide = np.arange(0, 40)
    li, *_ = boundary_errors.boundary_errors("r", "g", 60.0, lines(40, 50), lines(wide * 1.0, 90, wide))
    assert li.error_um == pytest.approx(60 * np.abs(COLUMNS - 40).mean())
    for columns in (COLUMNS[COLUMNS != 14], COLUMNS[:5]):
        with pytest.raises(DataError, match="columns were not found"):
            boundary_errors.boundary_errors("r", "g", 60.0, lines(40, 50), lines(40, 50, columns))


def test_the_command_writes_errors_of_the_test_split_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    put(tmp_path / "rois.csv", "roi_id,group_id,split,pixel_um\na,s1,test,60\nb,s2,train,60\n")
    line_csv(tmp_path / "boundaries.csv", "a", 40, 50)
    found = line_csv(tmp_path / "found.csv", "a", 41, 50)
    out = tmp_path / "errors.csv"
    monkeypatch.setattr("sys.argv", ["boundary_errors", str(tmp_path), str(found), "--out", str(out)])
    assert boundary_errors.main() == 0
    assert out.read_text().splitlines() == [
        "roi_id,group_id,boundary,error_um,signed_um,expert_um",
        "a,s1,LI,60.0,60.0,",
        "a,s1,MA,0.0,0.0,",
        "a,s1,IMT,60.0,-60.0,600.0",
    ]
    monkeypatch.setattr("sys.argv", ["boundary", str(out), "--json", str(tmp_path / "out.json")])
    assert boundary.main() == 0
    assert json.loads((tmp_path / "out.json").read_text())["LI"]["mean_um"] == 60
    assert "MA" in capsys.readouterr().out


def test_a_region_without_lines_is_named(tmp_path: Path) -> None:
    put(tmp_path / "rois.csv", "roi_id,group_id,split,pixel_um\na,s1,test,60\n")
    line_csv(tmp_path / "boundaries.csv", "a", 40, 50)
    with pytest.raises(DataError, match=r"found\.csv has no boundaries of a"):
        errors_of_split(tmp_path, line_csv(tmp_path / "found.csv", "b", 41, 50))


@pytest.mark.parametrize(
    ("rows", "said"), [("a,1,2,3\na,1,2,3\n", "line 3: column 1 of a comes twice"), ("a,1,nan,3\n", "line 2: li_px")]
)
def test_lines_that_cannot_be_are_refused(tmp_path: Path, rows: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read_lines(put(tmp_path / "lines.csv", "roi_id,column_px,li_px,ma_px\n" + rows))


def test_tukeys_box_of_a_hand_made_list() -> None:
    """Quartiles of 1..9 are 3, 5, 7; the fences are at -3 and 13."""
    box = tukey_box(np.array([1, 2, 3, 4, 5, 6, 7, 8, 9.0]))
    assert box == {"q1": 3, "median": 5, "q3": 7, "whisker_low": 1, "whisker_high": 9, "outliers": []}
    box = tukey_box(np.array([1, 2, 3, 4, 5, 6, 7, 8, 30.0]))
    assert (box["whisker_high"], box["outliers"]) == (8, [30])


def test_mean_and_sd_are_those_of_a_sample() -> None:
    found = describe(np.array([10.0, 20, 30]), np.array(["a", "b", "c"]))
    assert (found["mean_um"], found["sd_um"]) == (20, 10)


def test_the_interval_is_wider_where_regions_of_a_subject_are_alike() -> None:
    rng = np.random.default_rng(0)
    of_subject = rng.normal(30, 10, 12)
    alike = np.repeat(of_subject, 12)
    subjects = np.repeat(np.arange(12).astype(str), 12)

    def width(groups: np.ndarray) -> float:
        low, high = describe(alike, groups)["mean_ci95_group"]
        assert low < alike.mean() < high
        return high - low

    assert width(subjects) > 2.5 * width(np.arange(144).astype(str))
    assert describe(alike, np.full(144, "one"))["mean_ci95_group"] is None


def test_two_systems_are_compared_region_by_region() -> None:
    a, b = np.array([10.0, 12, 9, 14, 30]), np.array([12.0, 15, 10, 18, 29])
    t = (a - b).mean() / ((a - b).std(ddof=1) / math.sqrt(5))
    found = compare(a, b)
    assert found["p_t"] == pytest.approx(2 * stats.t.sf(abs(t), 4))
    assert found["mean_difference_um"] == pytest.approx(-1.8)
    # Ranks of |difference| 2, 3, 1, 4, 1 are 3, 4, 1.5, 5, 1.5; the positive one has 1.5.
    assert 0.05 < found["p_wilcoxon"] < 0.2
    assert compare(a, a) == {"mean_difference_um": 0, "p_t": 1, "p_wilcoxon": 1}
    assert compare(a, a + 1)["p_t"] == 0
    assert compare(a[:1], b[:1])["p_t"] is None


def test_a_second_system_is_summarised_beside_the_first(tmp_path: Path) -> None:
    rows = "".join(f"r{k},s{k % 3},LI,{10 + k},{20 + k},x\n" for k in range(6))
    errors = read_errors(put(tmp_path / "e.csv", "roi_id,group_id,boundary,error_um,error_um_b,note\n" + rows))
    found = summary(errors["LI"])
    assert (found["n"], found["n_groups"], found["mean_um"], found["b"]["mean_um"]) == (6, 3, 12.5, 22.5)
    assert found["paired"]["mean_difference_um"] == -10


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("roi_id,group_id,boundary\n", "column error_um is missing"),
        ("roi_id,group_id,boundary,error_um\n", "has no rows"),
        ("roi_id,group_id,boundary,error_um\na,s,LI,nan\n", "line 2: error_um"),
        ("roi_id,group_id,boundary,error_um\na,s,LI,-1\n", "line 2: error_um"),
        ("roi_id,group_id,boundary,error_um\na,s,LI,1\na,s,MA,1\na,s,LI,2\n", "line 4: LI of region a"),
        ("roi_id,group_id,boundary,error_um,error_um_b\na,s,LI,1,\n", "line 2: error_um_b"),
    ],
)
def test_bad_errors_are_refused_with_their_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read_errors(put(tmp_path / "errors.csv", text))


AGREEMENT = "roi_id,group_id,boundary,error_um,signed_um,expert_um\n"


def test_thickness_found_has_a_bias_and_limits_of_agreement(tmp_path: Path) -> None:
    """Found minus expert: +10, -20, +30, -40. About their mean of -5 they are off by 15, 15, 35, 35."""
    signed = (10, -20, 30, -40)
    rows = [f"r{n},s{n},IMT,{abs(off)},{off},{600 + n}" for n, off in enumerate(signed)]
    path = put(tmp_path / "errors.csv", AGREEMENT + "\n".join([*rows, "r0,s0,LI,5,5,"]) + "\n")
    errors = read_errors(path)
    found = summary(errors["IMT"])["agreement"]
    sd = math.sqrt((15**2 + 15**2 + 35**2 + 35**2) / 3)
    assert found["bias_um"] == -5 and found["expert_mean_um"] == 601.5 and found["found_mean_um"] == 596.5
    assert found["limits_low_um"] == pytest.approx(-5 - 1.96 * sd)
    assert found["limits_high_um"] == pytest.approx(-5 + 1.96 * sd)
    assert found["bias_ci95_group"][0] < -5 < found["bias_ci95_group"][1]
    assert "agreement" not in summary(errors["LI"])
    assert "bias -5.00 um, limits" in boundary.table({"IMT": summary(errors["IMT"])})


def test_one_region_has_a_bias_without_limits(tmp_path: Path) -> None:
    path = put(tmp_path / "errors.csv", AGREEMENT + "r,s,IMT,10,10,600\n")
    found = summary(read_errors(path)["IMT"])["agreement"]
    assert (found["bias_um"], found["limits_low_um"], found["bias_ci95_group"]) == (10, None, None)


def test_a_thickness_with_a_hole_is_named(tmp_path: Path) -> None:
    path = put(tmp_path / "errors.csv", AGREEMENT + "r,s,IMT,10,10,600\nq,s,IMT,10,10,\n")
    with pytest.raises(DataError, match="line 3: expert_um is '', expected a finite number"):
        read_errors(path)
