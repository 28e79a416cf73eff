"""The whole report from a small made-up run: its tables, its page, its figures, and what it prints."""

from __future__ import annotations

import base64
import csv
import re
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest

from eval.report_page import PHANTOM_WARNING, duration
from layerwise.files import read_csv, read_json
from tests.made_up_run import make_run, reported


@dataclass(frozen=True)
class Reported:
    """A run after its report: tests only read it. printed: what the command wrote to the terminal."""

    folder: Path
    printed: str

    @property
    def page(self) -> str:
        return (self.folder / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def phantom(tmp_path_factory) -> Reported:
    """A run on a phantom, found by its application and scheme."""
    root = tmp_path_factory.mktemp("phantom")
    run = make_run(root)
    folder = run.rename(run.with_name("caffe-seed3"))
    options = ("--engine", "caffe", "--seed", 3, "--runs", root / "runs")
    return Reported(folder, reported("polyp", "finetune-conv4", *options))


@pytest.fixture(scope="module")
def real(tmp_path_factory) -> Reported:
    """A run on a real data set whose test split is one video and whose frames were moved away since."""
    run = make_run(tmp_path_factory.mktemp("real"), is_phantom=False, n_groups=4)
    dataset = Path(read_json(run / "run.json")["data"]["dataset_dir"])
    (dataset / "raw").rename(dataset / "elsewhere")
    return Reported(run, reported(run))


def test_candidate_score_is_the_mean_over_its_patches(phantom):
    sums: dict[str, list[float]] = {}
    for row in read_csv(phantom.folder / "scores.csv"):
        sums.setdefault(row["candidate_id"], []).append(float(row["score"]))
    written = {row["candidate_id"]: float(row["score"]) for row in read_csv(phantom.folder / "candidate_scores.csv")}
    assert written == pytest.approx({key: np.mean(values) for key, values in sums.items()}, rel=1e-12)


def test_tables_have_the_columns_others_rely_on(phantom):
    def header(name):
        with (phantom.folder / name).open(newline="") as handle:
            return next(csv.reader(handle))

    assert header("candidate_scores.csv") == ["candidate_id", "frame_id", "group_id", "label", "lesion_id", "score"]
    assert header("froc.csv") == ["threshold", "fps_per_image", "sensitivity"]
    assert header("operating_points.csv") == [
        "fps_per_image", "sensitivity", "ci95_low", "ci95_high", "threshold", "obtained_fps_per_image"
    ]  # fmt: skip


def test_operating_points_are_read_from_the_curve_and_end_at_the_detector(phantom):
    points = read_csv(phantom.folder / "operating_points.csv")
    curve = [{key: float(value) for key, value in row.items()} for row in read_csv(phantom.folder / "froc.csv")]
    assert [float(point["fps_per_image"]) for point in points] == [0.001, 0.01, 0.1, 1.0, np.inf]
    for point in points:
        within = [row["sensitivity"] for row in curve if row["fps_per_image"] <= float(point["fps_per_image"])]
        assert float(point["sensitivity"]) == max(within, default=0.0)
        assert float(point["ci95_low"]) <= float(point["sensitivity"]) <= float(point["ci95_high"])
    dataset = Path(read_json(phantom.folder / "run.json")["data"]["dataset_dir"])
    tables = {name: rows_of_test_split(dataset, name) for name in ("frames", "lesions", "candidates")}
    found = {row["lesion_id"] for row in tables["candidates"]} - {""}
    assert len(found) < len(tables["lesions"])  # the made-up detector misses some
    assert float(points[-1]["sensitivity"]) == len(found) / len(tables["lesions"])
    false = sum(row["label"] == "0" for row in tables["candidates"])
    assert float(points[-1]["obtained_fps_per_image"]) == false / len(tables["frames"])


def rows_of_test_split(dataset, name):
    return [row for row in read_csv(dataset / "candidates" / f"{name}.csv") if row["split"] == "test"]


class Page(HTMLParser):
    """Every address that a page refers to, its ids, and whether its elements are closed in order."""

    VOID = frozenset({"meta", "br", "link", "img", "hr", "input"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.references: list[str] = []
        self.ids: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.references += [
            value or "" for name, value in attrs if name in ("src", "href", "xlink:href", "srcset", "action")
        ]
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_page_needs_nothing_but_itself(phantom):
    text = phantom.page
    page = Page(text)
    assert page.references
    assert [ref for ref in page.references if not ref.startswith(("data:", "#"))] == []
    assert "<script" not in text and "@import" not in text
    assert not re.search(r"url\((?!#)", text)


def test_page_is_well_formed_and_its_ids_are_unique(phantom):
    page = Page(phantom.page)
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))
    assert {ref[1:] for ref in page.references if ref.startswith("#")} <= set(page.ids)


def test_worst_errors_are_pictures_cut_from_the_frames(phantom):
    text = phantom.page
    images = re.findall(r'href="data:image/png;base64,([^"]+)"', text)
    assert images
    for image in images:
        pixels = cv2.imdecode(np.frombuffer(base64.b64decode(image), np.uint8), cv2.IMREAD_COLOR)
        assert pixels is not None and pixels.shape[0] == pixels.shape[1] >= 96
        assert pixels[..., 2].mean() > pixels[..., 0].mean()  # the frames are reddish: BGR was not turned round


def test_phantom_says_so_on_the_page_in_the_figures_and_in_the_terminal(phantom):
    assert phantom.page.count(PHANTOM_WARNING) == 2
    assert "<title>PHANTOM" in phantom.page
    assert phantom.printed.startswith(PHANTOM_WARNING)
    figures = sorted((phantom.folder / "figures").iterdir())
    assert [path.name for path in figures] == ["convergence.svg", "froc.svg", "roc.svg"]
    assert all("PHANTOM DATA" in path.read_text(encoding="utf-8") for path in figures)


def test_real_data_is_never_called_a_phantom(real):
    assert PHANTOM_WARNING not in real.page + real.printed
    assert "Real images" in real.page


def test_text_from_files_is_escaped(phantom):
    text = phantom.page
    assert "&lt;b&gt;made-up&lt;/b&gt;" in text and "<b>made-up" not in text


def test_report_ends_with_its_table_and_path(phantom):
    lines = phantom.printed.strip().splitlines()
    assert Path(lines[-1].removeprefix("report: ")) == phantom.folder / "report.html"
    table = [line.split() for line in lines if "to" in line.split()]
    assert [line[0] for line in table] == ["0.001", "0.01", "0.1", "1", "all"]


def test_same_inputs_give_the_same_bytes(phantom):
    def contents():
        return {path: path.read_bytes() for path in sorted(phantom.folder.rglob("*")) if path.is_file()}

    first = contents()
    reported(phantom.folder)
    assert contents() == first


def test_frames_that_were_moved_away_leave_the_numbers_and_a_note(real):
    assert "frame not at hand" in real.page
    assert "data:image/png" not in real.page


def test_one_video_has_no_interval(real):
    points = read_csv(real.folder / "operating_points.csv")
    assert {(point["ci95_low"], point["ci95_high"]) for point in points} == {("", "")}


def test_few_videos_are_called_few(phantom):
    assert re.search(r"Only 3 test\s+videos have lesions: such intervals tend to be too narrow", phantom.page)


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, "–"), (12.34, "12.3 s"), (199.6, "3 min 20 s"), (7500, "2 h 05 min")]
)
def test_durations_are_for_people(seconds, text):
    assert duration(seconds) == text
