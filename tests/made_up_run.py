"""A small made-up run with its data set on disk, for the tests of the report."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from data_prep import embolism_candidates
from data_prep.databases import FIRST_COLUMNS
from data_prep.lmdb_builder import encode_datum, write_lmdb
from data_prep.polyp_candidates import BOX_COLUMNS, CANDIDATE_COLUMNS, FRAME_COLUMNS, LESION_COLUMNS
from eval.report import main
from layerwise.files import read_json, write_csv, write_json
from layerwise.run_folder import SCORE_COLUMNS, TRAIN_COLUMNS
from layerwise.schemes import HANDCRAFTED


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
                    {**where, "lesion_id": lesion_id, **dict(zip(BOX_COLUMNS, lesion, strict=True)), "area_px": 99}
                )
                if len(tables["lesions"]) % 5:
                    boxes += [(tuple(value + rng.integers(-4, 5) for value in lesion), lesion_id) for _ in range(2)]
            for rank, (box, hit) in enumerate(boxes):
                tables["candidates"].append(
                    {**where, "candidate_id": f"{frame}-c{rank}", **dict(zip(BOX_COLUMNS, box, strict=True))}
                    | {"detector_score": rng.normal(0.4 * bool(hit)), "label": int(bool(hit)), "lesion_id": hit}
                )
    folder = dataset / "candidates"
    write_csv(folder / "frames.csv", FRAME_COLUMNS, tables["frames"])
    write_csv(folder / "lesions.csv", LESION_COLUMNS, tables["lesions"])
    write_csv(folder / "candidates.csv", CANDIDATE_COLUMNS, tables["candidates"])
    write_json(folder / "detector.json", {"hit_criterion": "centre-in-ground-truth", "fitted_on": "train"})
    write_csv(run / "scores.csv", (*SCORE_COLUMNS, "candidate_id", "frame_id"), patch_scores(tables["candidates"], rng))
    write_csv(run / "train.csv", TRAIN_COLUMNS, train_rows(rng))
    write_json(run / "run.json", run_record(dataset, is_phantom))
    return run


def make_volume_run(root: Path, *, n_groups=6, seed=0) -> Path:
    """A run of embolism and its data set with a test database under `root`; returns the run folder.

    One volume per patient with two emboli and six false candidates; every third embolus gets no candidate. Patients 0
    and 1 train, 2 validates. A patch is grey level 200 in its cross-section and 100 in its longitudinal view.
    """
    rng = np.random.default_rng(seed)
    dataset, run = (
        root / "data" / "embolism" / "phantom-seed0-tiny",
        root / "runs" / "embolism" / "finetune-conv4" / "r0",
    )
    volumes, lesions, candidates = [], [], []
    for group in range(n_groups):
        split = "train" if group < 2 else "val" if group == 2 else "test"
        where = {"volume_id": f"v{group}", "group_id": f"p{group}", "split": split}
        volumes.append({**where, "n_lesions": 2, "path": f"raw/v{group}.nrrd"})
        hits = [""] * 6
        for number in range(2):
            lesion_id = f"v{group}-l{number}"
            lesions.append({**where, "lesion_id": lesion_id, **point(rng), "volume_mm3": rng.integers(50, 900)})
            hits += [lesion_id] * 2 if len(lesions) % 3 else []
        for rank, hit in enumerate(hits):
            candidates.append(
                {**where, "candidate_id": f"v{group}-c{rank}", **point(rng), "axis_z": 1, "axis_y": 0, "axis_x": 0}
                | {"detector_score": rng.uniform(), "label": int(bool(hit)), "lesion_id": hit}
            )
    folder = dataset / "candidates"
    write_csv(folder / "volumes.csv", embolism_candidates.VOLUME_COLUMNS, volumes)
    write_csv(folder / "lesions.csv", embolism_candidates.LESION_COLUMNS, lesions)
    write_csv(folder / "candidates.csv", embolism_candidates.CANDIDATE_COLUMNS, candidates)
    write_json(folder / "detector.json", {"hit_criterion": "point-within-2-mm-of-embolus", "fitted_on": "train"})
    scores = list(patch_scores(candidates, rng, image_id="volume_id"))
    write_csv(run / "scores.csv", (*SCORE_COLUMNS, "candidate_id", "volume_id"), scores)
    patch_rgb = np.dstack([np.full((16, 16), level, np.uint8) for level in (200, 100, 100)])
    database = dataset / "patches-131"
    database.mkdir()
    write_lmdb(database / "test_lmdb", ((row["key"], encode_datum(patch_rgb, 0)) for row in scores))
    kept = (*FIRST_COLUMNS, "candidate_id")
    write_csv(database / "patches.csv", kept, ({**{k: row.get(k) for k in kept}, "split": "test"} for row in scores))
    write_csv(run / "train.csv", TRAIN_COLUMNS, train_rows(rng))
    write_json(run / "run.json", {**run_record(dataset, True), "application": "embolism"})
    return run


def point(rng) -> dict[str, int]:
    return dict(zip(embolism_candidates.POINT_COLUMNS, rng.integers(0, 60, 3).tolist(), strict=True))


def make_rival(run: Path, rows: Iterable[dict], columns: Sequence[str]) -> Path:
    """The folder of a handcrafted rival beside the folder `run`, on its data set: what tools.handcrafted leaves."""
    record = read_json(run / "run.json")
    folder = run.parents[1] / HANDCRAFTED / "rival-seed0"
    write_csv(folder / "scores.csv", columns, rows)
    shared = {key: record[key] for key in ("application", "seed", "data", "commit", "host")}
    facts = {"description": "A made-up rival.", "fitted_on": {"train": {"frames": 7}}, "val_auc": 0.8125, "trees": 50}
    times = {"began": "2025-01-01T00:00:00+00:00", "ended": "2025-01-01T00:00:09+00:00", "training_seconds": 9.0}
    engine = {"name": "scikit-learn", "version": "1.5", "device": "cpu"}
    own = {"scheme": HANDCRAFTED, "fraction": 1.0, "net": None, "weights": None, "engine": engine}
    write_json(folder / "run.json", {**shared, **own, "facts": facts, "times": times})
    return folder


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


def patch_scores(candidates, rng, per_candidate=3, image_id="frame_id"):
    for candidate in (row for row in candidates if row["split"] == "test"):
        centre = rng.normal(1.5 if candidate["label"] else -1.5, 1.2)
        for number in range(per_candidate):
            score = 1 / (1 + np.exp(-rng.normal(centre, 0.5)))
            kept = {column: candidate[column] for column in ("group_id", "label", "candidate_id", image_id)}
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
            "content_sha256": "2" * 64,
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


def reported(*arguments) -> str:
    """Run the command, which must succeed; returns what it printed."""
    out = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out):
        assert report(patch, *arguments) == 0
    return out.getvalue()
