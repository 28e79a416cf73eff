"""The whole report from a small made-up run: its files, its page, and what it says about bad input."""

from __future__ import annotations

import base64
import contextlib
import csv
import io
import re
import sys
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest

from eval.report import main
from eval.report_page import PHANTOM_WARNING, duration
from layerwise.files import read_csv, read_json, write_csv, write_json

FRAME_COLUMNS = ("frame_id", "group_id", "split", "n_lesions", "path", "width_px", "height_px")
BOX = ("x0_px", "y0_px", "x1_px", "y1_px")
LESION_COLUMNS = ("lesion_id", "frame_id", "group_id", "split", *BOX, "area_px")
CANDIDATE_COLUMNS = ("candidate_id", "frame_id", "group_id", "split", *BOX, "detector_score", "label", "lesion_id")
SCORE_COLUMNS = ("key", "group_id", "label", "score", "candidate_id", "frame_id")
TRAIN_COLUMNS = ("iteration", "epoch", "lr", "loss", "val_auc", "images_per_s")


def make_run(root: Path, *, is_phantom=True, n_groups=6, frames_per_group=5, size=(128, 96), seed=0) -> Path:
    """A run folder and its data set under `root`; returns the run folder. size: (width, height) of the frames.

    Every second frame has a lesion; one in five lesions gets no candidate. Groups 0, 1 train, 2 validate, others test.
    """
    rng = np.random.default_rng(seed)
    dataset, run = root / "data" / "polyp" / "phantom-seed0-tiny", root / "runs" / "polyp" / "finetune-conv4" / "r0"
    tables: dict[str, list[dict]] = {"frames": [], "lesions": [], "candidates": []}
    for group in range(n_groups):
        split = "train" if group < 2 else "val" if group == 2 else "test"
        for number in range(frames_per_group):
            frame = f"{group}_{number}"
            where = {"frame_id": frame, "group_id": str(group), "split": split}
            lesion = draw_frame(dataset / "raw" / f"{frame}.png", rng, size, with_lesion=number % 2 == 0)
            tables["frames"].append(
                {**where, "n_lesions": int(lesion is not None), "path": f"raw/{frame}.png"}
                | {"width_px": size[0], "height_px": size[1]}
            )
            boxes = [(box, "") for box in random_boxes(rng, size, 3)]
            if lesion is not None:
                lesion_id = f"{frame}-l1"
                tables["lesions"].append(
                    {**where, "lesion_id": lesion_id, **dict(zip(BOX, lesion, strict=True)), "area_px": 99}
                )
                if len(tables["lesions"]) % 5:
                    boxes += [(tuple(value + rng.integers(-4, 5) for value in lesion), lesion_id) for _ in range(2)]
            for rank, (box, hit) in enumerate(boxes):
                tables["candidates"].append(
                    {**where, "candidate_id": f"{frame}-c{rank}", **dict(zip(BOX, box, strict=True))}
                    | {"detector_score": rng.normal(0.4 * bool(hit)), "label": int(bool(hit)), "lesion_id": hit}
                )
    folder = dataset / "candidates"
    write_csv(folder / "frames.csv", FRAME_COLUMNS, tables["frames"])
    write_csv(folder / "lesions.csv", LESION_COLUMNS, tables["lesions"])
    write_csv(folder / "candidates.csv", CANDIDATE_COLUMNS, tables["candidates"])
    write_json(folder / "detector.json", {"hit_criterion": "centre-in-ground-truth", "fitted_on": "train"})
    write_csv(run / "scores.csv", SCORE_COLUMNS, patch_scores(tables["candidates"], rng))
    write_csv(run / "train.csv", TRAIN_COLUMNS, train_rows(rng))
    write_json(run / "run.json", run_record(dataset, is_phantom))
    return run


def draw_frame(path: Path, rng, size, with_lesion: bool):
    """A smooth reddish frame with one brighter disc as lesion; returns the lesion's box or None."""
    width, height = size
    noise = cv2.resize(rng.uniform(0, 60, (6, 8)).astype(np.float32), size, interpolation=cv2.INTER_CUBIC)
    frame = np.stack([60 + 0.3 * noise, 70 + noise, 140 + noise], axis=2).clip(0, 255).astype(np.uint8)
    box = None
    if with_lesion:
        radius = int(rng.integers(height // 10, height // 5))
        x, y = int(rng.integers(radius, width - radius)), int(rng.integers(radius, height - radius))
        cv2.circle(frame, (x, y), radius, (120, 130, 220), -1, cv2.LINE_AA)
        box = (x - radius, y - radius, x + radius, y + radius)
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), frame)
    return box


def random_boxes(rng, size, count):
    for _ in range(count):
        side = int(rng.integers(size[1] // 6, size[1] // 3))
        x, y = int(rng.integers(0, size[0] - side)), int(rng.integers(0, size[1] - side))
        yield (x, y, x + side, y + side)


def patch_scores(candidates, rng, per_candidate=3):
    for candidate in (row for row in candidates if row["split"] == "test"):
        centre = rng.normal(1.5 if candidate["label"] else -1.5, 1.2)
        for number in range(per_candidate):
            score = 1 / (1 + np.exp(-rng.normal(centre, 0.5)))
            kept = {column: candidate[column] for column in ("group_id", "label", "candidate_id", "frame_id")}
            yield {**kept, "key": f"{candidate['candidate_id']}_{number}", "score": f"{score:.9g}"}


def train_rows(rng, n=40):
    for iteration in range(1, n + 1):
        auc = 0.95 - 0.4 * np.exp(-iteration / 8) if iteration in (1, 2, 5) or iteration % 10 == 0 else ""
        loss = 0.2 + 0.5 * np.exp(-iteration / 10) + rng.uniform(0, 0.1)
        yield {
            "iteration": iteration,
            "epoch": iteration / 20,
            "lr": 0.001,
            "loss": loss,
            "val_auc": auc,
            "images_per_s": 120,
        }


def run_record(dataset: Path, is_phantom: bool) -> dict:
    """run.json as the training command writes it."""
    layers = [("conv1", (48, 3, 11, 11)), ("conv4", (192, 96, 3, 3)), ("fc8_polyp", (2, 512))]
    rows = [
        {
            "layer": layer,
            "shape": shape,
            "source_shape": shape if layer != "fc8_polyp" else None,
            "start": "copied" if layer != "fc8_polyp" else "re-initialised",
            "filler": "" if layer != "fc8_polyp" else "gaussian 0.01",
            "is_frozen": layer == "conv1",
            "weight_lr": {"conv1": 0.0, "conv4": 0.001, "fc8_polyp": 0.01}[layer],
            "bias_lr": {"conv1": 0.0, "conv4": 0.002, "fc8_polyp": 0.02}[layer],
            "n_parameters": int(np.prod(shape)) + shape[0],
        }
        for layer, shape in layers
    ]
    counts = {"patches": 400, "positive": 200, "negative": 200, "candidates": 80, "frames": 20, "groups": 2}
    return {
        "application": "polyp",
        "scheme": "finetune-conv4",
        "net": "alexnet_half",
        "weights": {
            "name": "formula",
            "path": "models/formula/formula.caffemodel",
            "sha256": "0" * 64,
            "description": "a <b>made-up</b> source",
        },
        "seed": 0,
        "batch": 64,
        "engine": {"name": "recaffe", "version": "0.1.0", "device": "cpu"},
        "data": {
            "dataset": dataset.name,
            "is_phantom": is_phantom,
            "dataset_dir": str(dataset),
            "manifest": str(dataset / "patches-131" / "manifest.json"),
            "manifest_sha256": "1" * 64,
            "counts": dict.fromkeys(("train", "val", "test"), counts),
        },
        "plan": {
            "scheme": "finetune-conv4",
            "source": "formula",
            "rows": rows,
            "dropped": ["fc8"],
            "n_parameters": sum(row["n_parameters"] for row in rows),
            "n_trained": sum(row["n_parameters"] for row in rows if not row["is_frozen"]),
            "iterations_per_epoch": 20,
        },
        "best_iteration": 40,
        "best_val_auc": 0.947,
        "iterations": 40,
        "stop_reason": "all epochs done",
        "commit": "abcdef0",
        "host": {"platform": "Linux", "python": "3.11", "processor": "a processor", "cores": 2},
        "times": {
            "began": "2025-01-01T00:00:00+00:00",
            "ended": "2025-01-01T00:05:00+00:00",
            "training_seconds": 272.4,
            "validation_seconds": 21.0,
        },
    }


def report(monkeypatch, *arguments) -> int:
    monkeypatch.setattr(sys, "argv", ["eval.report", *map(str, arguments)])
    return main()


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


def reported(*arguments) -> str:
    """Run the command, which must succeed; returns what it printed."""
    out = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out):
        assert report(patch, *arguments) == 0
    return out.getvalue()


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path)


def change_csv(path: Path, change) -> None:
    """Apply `change` to the list of rows, in place, and write them back."""
    rows = read_csv(path)
    header = list(rows[0])
    change(rows)
    write_csv(path, list(rows[0]) if rows else header, rows)


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
    assert re.search(r"Only 3 test\s+videos have lesions: such intervals are too narrow", phantom.page)


def row(index: int, **values):
    """A change of one row of a table."""
    return lambda rows: rows[index].update(values)


def every_row(**values):
    return lambda rows: [each.update(values) for each in rows]


def without(column: str):
    return lambda rows: [each.pop(column) for each in rows]


BAD_TABLES = [
    ("no score column", "scores.csv", without("score"), r"scores\.csv: column score is missing"),
    ("score is nan", "scores.csv", row(2, score="nan"), r"scores\.csv, line 4: score is 'nan'"),
    ("score above one", "scores.csv", row(0, score="1.5"), r"line 2: score is '1\.5'.*0 \.\. 1"),
    ("label of a third class", "scores.csv", row(0, label="2"), r"line 2: label is '2'"),
    ("label against its candidate", "scores.csv", row(0, label="1"), r"line 2: label 1 of a patch"),
    ("foreign candidate", "scores.csv", row(0, candidate_id="x"), r"'x' is not in the test split"),
    ("key twice", "scores.csv", lambda rows: rows.append(rows[0]), r"scores\.csv: key '.*' is listed twice"),
    ("candidate without patch", "scores.csv", lambda rows: rows.__delitem__(slice(0, 3)), r"1 of \d+ .*no patch"),
    ("no scores at all", "scores.csv", list.clear, r"scores\.csv has no row"),
    ("training without validation", "train.csv", every_row(val_auc=""), r"train\.csv: no row has a val_auc"),
    (
        "candidate without column",
        "candidates.csv",
        without("lesion_id"),
        r"candidates\.csv: column lesion_id is missing",
    ),
    ("lesion that is none", "candidates.csv", row(-1, label="1", lesion_id="ghost"), r"'ghost', which lesions\.csv"),
    ("hit without lesion", "candidates.csv", row(-1, label="1", lesion_id=""), r"candidates\.csv.* lesion_id ''"),
    ("candidate in no frame", "candidates.csv", row(-1, frame_id="nowhere"), r"candidates\.csv.* 'nowhere'"),
    ("lesion in no frame", "lesions.csv", row(-1, group_id="other"), r"lesions\.csv.* 'other'"),
    ("no test lesion", "lesions.csv", every_row(split="train"), r"15 frames and 0 lesions"),
]


def path_of(run: Path, name: str) -> Path:
    folder = Path(read_json(run / "run.json")["data"]["dataset_dir"]) / "candidates"
    return folder / name if (folder / name).exists() else run / name


def assert_refused(run, monkeypatch, capsys, message) -> None:
    before = sorted(run.rglob("*"))
    assert report(monkeypatch, run) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ") and re.search(message, error)
    assert sorted(run.rglob("*")) == before


@pytest.mark.parametrize(
    ("name", "change", "message"), [case[1:] for case in BAD_TABLES], ids=[c[0] for c in BAD_TABLES]
)
def test_bad_table_is_named_and_nothing_is_written(name, change, message, run, monkeypatch, capsys):
    change_csv(path_of(run, name), change)
    assert_refused(run, monkeypatch, capsys, message)


@pytest.mark.parametrize(
    ("name", "writer"), [("scores.csv", "tools.predict"), ("lesions.csv", "data_prep"), ("detector.json", "Prepare")]
)
def test_missing_file_is_named_with_what_writes_it(name, writer, run, monkeypatch, capsys):
    path_of(run, name).unlink()
    assert_refused(run, monkeypatch, capsys, rf"{name} is missing.*{writer}")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda record: record["data"].pop("dataset_dir"), r"run\.json: key data\.dataset_dir is missing"),
        (lambda record: record.pop("plan"), r"run\.json lacks .*'plan'"),
    ],
)
def test_run_record_that_lacks_a_key_is_refused(change, message, run, monkeypatch, capsys):
    record = read_json(run / "run.json")
    change(record)
    write_json(run / "run.json", record)
    assert_refused(run, monkeypatch, capsys, message)


def test_run_record_that_is_cut_is_refused(run, monkeypatch, capsys):
    (run / "run.json").write_text('{"application": "pol')
    assert_refused(run, monkeypatch, capsys, r"run\.json is not valid JSON")


@pytest.mark.parametrize(
    "arguments", [("polyp", "finetune-conv9"), ("polip", "finetune-conv4"), ("a", "b", "c"), ("nowhere",)]
)
def test_what_does_not_exist_is_a_usage_error(arguments, monkeypatch, capsys):
    assert report(monkeypatch, *arguments) == 2
    assert capsys.readouterr().err.startswith("usage: ")


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, "–"), (12.34, "12.3 s"), (199.6, "3 min 20 s"), (7500, "2 h 05 min")]
)
def test_durations_are_for_people(seconds, text):
    assert duration(seconds) == text
