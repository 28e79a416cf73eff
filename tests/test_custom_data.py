"""From a user's folder or table to databases, and on to the run's place, its classes and its report."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any
from zlib import crc32

import cv2
import lmdb
import numpy as np
import pytest
from recaffe.proto import caffe_pb2

from data_prep import custom, custom_patches
from data_prep.custom_index import read_index
from data_prep.patches import extract
from eval.roc import auc
from layerwise.applications import CUSTOM, get_application
from layerwise.errors import DataError, UsageError
from layerwise.files import read_csv, read_json, write_csv, write_json
from layerwise.paths import run_place
from layerwise.records import PatchTransform
from layerwise.run_folder import TRAIN_COLUMNS
from tests.made_up_run import reported, run_record, train_rows

SPLITS = ("train", "val", "test")
SIZE = 131


def picture(path: Path, seed: int, size: tuple[int, int] = (30, 40)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8))


def draw_folders(root: Path, counts: dict[str, int], n_images: int = 2) -> Path:
    """counts: class -> patients of its own, each with a folder of n_images."""
    for name, n in counts.items():
        for patient in range(n):
            for k in range(n_images):
                picture(root / name / f"{name}{patient}" / f"{k}.png", crc32(f"{name}{patient}/{k}".encode()))
    return root


def draw_table(root: Path, n_patients: int = 9) -> Path:
    """One image per patient with three boxes, one of each class, the first of which reaches beyond the image."""
    rows = []
    for patient in range(n_patients):
        picture(root / f"{patient}.png", patient)
        for k, label in enumerate(("none", "disc", "square")):
            box = {"x": 10 * k - 3, "y": 5, "w": 12, "h": 9}
            rows.append({"path": f"{patient}.png", "label": label, "group_id": f"p{patient}", **box})
    write_csv(root / "labels.csv", list(rows[0]), rows)
    return root


def options(data: Path, *arguments: str) -> custom.Options:
    return custom.parse_options(["--data", str(data), "--scale", "smoke", "--workers", "1", *arguments])


def prepare(place: Path, chosen: custom.Options) -> tuple[Path, dict[str, Any]]:
    """data/ lies in `place`."""
    before = Path.cwd()
    os.chdir(place)
    try:
        folder, made = custom.prepare(chosen)
    finally:
        os.chdir(before)
    return place / folder, made


@pytest.fixture(scope="module")
def boxes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, dict[str, Any]]:
    """(folder of the set, folder of its databases, manifest) of the table with three classes."""
    place = tmp_path_factory.mktemp("boxes")
    root = draw_table(place / "set")
    return root, *prepare(place, options(root, "--classes", "none,disc,square"))


def datums(path: Path) -> list[tuple[str, Any]]:
    with lmdb.open(str(path), readonly=True) as environment, environment.begin() as txn:
        return [(key.decode(), caffe_pb2.Datum.FromString(value)) for key, value in txn.cursor()]


def test_every_patch_is_cut_from_its_box_and_has_its_class(boxes: tuple[Path, Path, dict[str, Any]]) -> None:
    root, folder, made = boxes
    table = {item.item_id: item for item in read_index(folder.parent / "frames" / "frames.csv")}
    rows = read_csv(folder / "patches.csv")
    assert made["class_names"] == ["none", "disc", "square"]
    for split in SPLITS:
        own = [row for row in rows if row["split"] == split]
        for row, (key, datum) in zip(own, datums(folder / f"{split}_lmdb"), strict=True):
            item = table[row["frame_id"]]
            assert (key, datum.label, item.split) == (row["key"], int(row["label"]), split)
            assert item.label == int(row["frame_id"].split("#")[1]) - 1
            transform = PatchTransform(*(float(row[name]) for name in ("scale", "shift_x", "shift_y")))
            image = cv2.imread(str(root / row["frame_id"].split("#")[0]))[..., ::-1]
            expected = extract(image, item.box_xyxy_px, replace(transform, dihedral=int(row["dihedral"])), SIZE)
            stored = np.frombuffer(datum.data, np.uint8).reshape(3, SIZE, SIZE)
            np.testing.assert_array_equal(stored[::-1].transpose(1, 2, 0), expected)


def test_no_patient_is_in_two_splits_and_train_has_as_many_patches_of_each_class(
    boxes: tuple[Path, Path, dict[str, Any]],
) -> None:
    _, folder, made = boxes
    patients = [set(made["groups"][split]) for split in SPLITS]
    assert sum(map(len, patients)) == len(set.union(*patients)) == 9
    assert len(set(made["classes"]["train"].values())) == 1
    text = custom.report(folder, made)
    assert "negative: none; positive: disc, square" in text
    assert "NOTE: the net tells 3 classes apart" in text
    assert "9 boxes reach beyond their image" in text
    assert "nothing says" not in text


def test_a_rare_class_gives_more_patches_of_each_image_and_val_and_test_stay_as_they_are(tmp_path: Path) -> None:
    root = draw_folders(tmp_path / "set", {"sick": 3, "well": 12})
    folder, made = prepare(tmp_path, options(root, "--classes", "well,sick"))
    train = [row for row in read_csv(folder / "patches.csv") if row["split"] == "train"]
    per_image = {row["frame_id"]: 0 for row in train}
    for row in train:
        per_image[row["frame_id"]] += 1
    found = made["index"]["counts"]["train"]["classes"]
    assert made["classes"]["train"]["sick"] == made["classes"]["train"]["well"] == 4 * found["sick"]
    assert {n for name, n in per_image.items() if name.startswith("sick")} == {4}
    assert len({(row["frame_id"], *list(row.values())[5:]) for row in train}) == len(train)
    for split in ("val", "test"):
        counts = made["index"]["counts"][split]["classes"]
        assert made["classes"][split] == {name: 2 * n for name, n in counts.items()}
        assert counts["well"] > counts["sick"] > 0


def test_an_image_with_several_boxes_is_decoded_once(
    boxes: tuple[Path, Path, dict[str, Any]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    root, _, _ = boxes
    opened: Counter[str] = Counter()
    read = custom_patches.read_picture

    def counting(path: Path) -> Any:
        opened[path.name] += 1
        return read(path)

    monkeypatch.setattr(custom_patches, "read_picture", counting)
    prepare(tmp_path, options(root))
    assert opened == {f"{patient}.png": 1 for patient in range(9)}


def test_a_limit_that_leaves_images_unused_is_said(tmp_path: Path) -> None:
    root = draw_folders(tmp_path / "set", {"a": 4, "b": 4}, n_images=5)
    _, made = prepare(tmp_path, options(root, "--max-train-patches", "6"))
    assert made["classes"]["train"] == {"a": 3, "b": 3}
    assert "NOTE: 3 of 10 training images of a are used" in custom.report(tmp_path, made)


def test_reduced_sets_are_nested_and_keep_every_class(tmp_path: Path) -> None:
    root = draw_folders(tmp_path / "set", {"a": 12, "b": 12}, n_images=1)
    used: dict[str, set[str]] = {}
    for fraction in ("0.2", "0.5"):
        folder, made = prepare(tmp_path, options(root, "--fraction", fraction))
        rows = read_csv(folder / "patches.csv")
        used[fraction] = {row["group_id"] for row in rows if row["split"] != "test"}
        assert {row["label"] for row in rows if row["split"] == "val"} == {"0", "1"}
        assert "training set reduced" in custom.report(folder, made)
    assert used["0.2"] < used["0.5"]


def test_patch_level_validation_keeps_every_class_in_val(tmp_path: Path) -> None:
    root = draw_folders(tmp_path / "set", {"a": 9, "b": 2})
    folder, made = prepare(tmp_path, options(root, "--patch-level-validation"))
    val, train, test = (set(made["groups"][split]) for split in ("val", "train", "test"))
    assert not (val | train) & test
    assert min(made["classes"]["val"].values()) > 0
    assert folder.is_dir()


def test_files_that_cannot_be_read_are_listed_and_too_many_are_refused(tmp_path: Path) -> None:
    root = draw_folders(tmp_path / "set", {"a": 6, "b": 6}, n_images=1)
    (root / "a" / "a0" / "0.png").write_bytes(b"junk")
    folder, made = prepare(tmp_path, options(root))
    (skipped,) = read_csv(folder.parent / "frames" / "skipped.csv")
    assert skipped["frame_id"] == "a/a0/0.png" and "cannot be decoded" in skipped["reason"]
    assert "1 images could not be used" in custom.report(folder, made)
    for patient in range(3):
        (root / "b" / f"b{patient}" / "0.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"4 of 12 images cannot be used, more than 20%\. The first: .*a0.*4 bytes"):
        prepare(tmp_path, options(root))
    assert read_csv(folder.parent / "frames" / "skipped.csv") == [skipped]


def test_paths_that_lead_nowhere_are_explained_with_the_line(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("path,label,group_id\nx/1.png,a,p\nx/2.png,b,q\n")
    with pytest.raises(DataError, match=r"1\.png: is not there\. .*line 2 names that file; paths in the table are rel"):
        prepare(tmp_path, options(tmp_path))


def test_images_of_unknown_patients_are_split_one_by_one_with_a_warning(tmp_path: Path) -> None:
    for name in "ab":
        for k in range(5):
            picture(tmp_path / "set" / name / f"{k}.png", k)
    folder, made = prepare(tmp_path, options(tmp_path / "set"))
    assert "NOTE: nothing says which images are of one patient" in custom.report(folder, made)
    assert read_json(folder.parent / "frames" / "frames.json")["group_unit"] == "image"


def test_nothing_is_done_twice_and_other_classes_are_done_anew(tmp_path: Path) -> None:
    root = draw_folders(tmp_path / "set", {"a": 4, "b": 4}, n_images=1)
    folder, _ = prepare(tmp_path, options(root))
    before = (folder / "manifest.json").stat().st_mtime_ns
    prepare(tmp_path, options(root))
    assert (folder / "manifest.json").stat().st_mtime_ns == before
    _, made = prepare(tmp_path, options(root, "--classes", "b,a"))
    assert made["class_names"] == ["b", "a"]


@pytest.mark.parametrize(
    ("arguments", "message"), [(("--test-fraction", "1"), "less than 1"), (("--seed", "-1"), "0 or")]
)
def test_options_that_cannot_be_are_refused(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        options(tmp_path, *arguments)


def test_two_data_sets_never_share_a_run_folder(tmp_path: Path) -> None:
    one, other = (run_place("custom", tmp_path / parent / "skin") for parent in ("a", "b"))
    assert one != other and one.startswith("custom/skin-")
    assert run_place("polyp", None) == run_place("polyp", tmp_path) == "polyp"
    with pytest.raises(UsageError, match="needs DATA"):
        run_place("custom", None)


def test_classes_come_from_the_data() -> None:
    application = get_application("custom", {"class_names": ["none", "disc", "square"]})
    assert (application.n_classes, application.fc8, application.positive) == (3, "fc8_custom", "not none")
    assert get_application("custom", {"class_names": ["no", "yes"]}).positive == "yes"
    assert get_application("custom") is CUSTOM
    assert get_application("polyp", {"class_names": ["x", "y"]}).class_names == ("background", "polyp")


def test_the_report_merges_the_positive_classes_and_gives_each_its_area(
    boxes: tuple[Path, Path, dict[str, Any]], tmp_path: Path
) -> None:
    _, folder, _ = boxes
    rng = np.random.default_rng(0)
    rows = [row for row in read_csv(folder / "patches.csv") if row["split"] == "test"]
    scores = [
        {name: row[name] for name in ("key", "group_id", "label", "frame_id")}
        | {"score": f"{1 / (1 + np.exp(-rng.normal(int(row['label']))))}"}
        for row in rows
    ]
    run = tmp_path / "run"
    write_csv(run / "scores.csv", ("key", "group_id", "label", "score", "frame_id"), scores)
    write_csv(run / "train.csv", TRAIN_COLUMNS, train_rows(rng))
    record = run_record(folder.parent, False)
    record["data"]["class_names"] = ["none", "disc", "square"]
    write_json(run / "run.json", {**record, "application": "custom"})
    printed = reported(run)
    means = read_csv(run / "frame_scores.csv")
    label = np.array([int(row["label"]) for row in means])
    score = np.array([float(row["score"]) for row in means])
    summary = read_json(run / "evaluation.json")
    assert summary["auc_frames"] == auc((label > 0).astype(int), score)
    assert list(summary["auc_by_class"]) == ["disc", "square"]
    two = label != 1
    assert summary["auc_by_class"]["square"] == auc((label[two] > 0).astype(int), score[two])
    assert "not none" in printed and "images" in printed and "frames" not in printed
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "Area by class" in page and "crops" not in page
