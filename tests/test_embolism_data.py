"""From CT volumes on disk to databases: both stages, what they record, and how they refuse and resume."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import lmdb
import numpy as np
import pytest
from recaffe.proto import caffe_pb2

from data_prep import databases, embolism
from data_prep.embolism_hits import HIT_CRITERION
from data_prep.embolism_patches import PatchSpec, VesselTransform, extract
from data_prep.embolism_readers import find_reader, load_volume
from data_prep.embolism_scales import SCALES
from layerwise.errors import DataError, UsageError
from layerwise.files import read_csv
from tests.drawn_ct import draw_case, put_case

N_CASES = 8


def draw_set(root: Path, emboli: int = 2) -> Path:
    """Cases 001 to 008, the last of them without an embolus, the others with one or `emboli`."""
    rng = np.random.default_rng(5)
    for case in range(1, N_CASES + 1):
        n = 0 if case == N_CASES else 1 + case % emboli if emboli else 0
        put_case(root, f"{case:03d}", *draw_case(rng, n))
    return root


def options(data: Path, **changes: Any) -> embolism.Options:
    scale = replace(SCALES["smoke"], patches_per_candidate=4, max_train_patches=40, max_val_patches=20)
    return replace(embolism.Options("embolism", data, scale, 0, "alexnet_half", False, 1), **changes)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, dict[str, Any]]:
    """(folder of the set, folder of its databases, manifest), made once; case 003 has a damaged volume."""
    place = tmp_path_factory.mktemp("embolism")
    root = draw_set(place / "set")
    damaged = root / "images" / "003.nrrd"
    damaged.write_bytes(damaged.read_bytes()[:200])
    before = Path.cwd()
    os.chdir(place)
    try:
        folder, made = embolism.prepare(options(root))
    finally:
        os.chdir(before)
    return root, place / folder, made


def datums(path: Path) -> list[tuple[str, Any]]:
    with lmdb.open(str(path), readonly=True) as environment, environment.begin() as txn:
        return [(key.decode(), caffe_pb2.Datum.FromString(value)) for key, value in txn.cursor()]


def test_databases_patches_csv_and_manifest_agree(prepared: tuple[Path, Path, dict[str, Any]]) -> None:
    _, folder, made = prepared
    rows = read_csv(folder / "patches.csv")
    for split in ("train", "val", "test"):
        records = datums(folder / f"{split}_lmdb")
        own = [row for row in rows if row["split"] == split]
        assert [(key, datum.label) for key, datum in records] == [(row["key"], int(row["label"])) for row in own]
        assert made["counts"][split]["patches"] == len(records)
        assert made["counts"][split]["positive"] == sum(datum.label for _, datum in records) > 0
    for split in ("train", "val"):
        assert made["counts"][split]["positive"] == made["counts"][split]["negative"]
    assert (made["fp_unit"], made["group_unit"]) == ("fps_per_volume", "patient")


def test_every_patch_is_cut_along_its_candidates_vessel(prepared: tuple[Path, Path, dict[str, Any]]) -> None:
    root, folder, _ = prepared
    places = {row["candidate_id"]: row for row in read_csv(folder.parent / "candidates" / "candidates.csv")}
    volumes = {ref.volume_id: ref for ref in find_reader(root).index(root)}
    pixels = dict(datums(folder / "train_lmdb"))
    for row in read_csv(folder / "patches.csv")[:6]:
        place = places[row["candidate_id"]]
        volume = load_volume(volumes[row["volume_id"]])
        z, y, x = (float(place[name]) for name in ("z_voxel", "y_voxel", "x_voxel"))
        az, ay, ax = (float(place[name]) for name in ("axis_z", "axis_y", "axis_x"))
        transform = VesselTransform(float(row["width_mm"]), float(row["shift"]), float(row["rotation_deg"]))
        patch = np.frombuffer(pixels[row["key"]].data, np.uint8).reshape(3, 131, 131)
        wanted = extract(volume.hu, volume.spacing_mm, PatchSpec((z, y, x), (az, ay, ax), transform), 131)
        np.testing.assert_array_equal(patch[::-1].transpose(1, 2, 0), wanted)


def test_labels_are_those_of_the_masks_and_no_patient_is_in_two_splits(
    prepared: tuple[Path, Path, dict[str, Any]],
) -> None:
    root, folder, made = prepared
    assert made["hit_criterion"] == HIT_CRITERION
    groups = [set(made["groups"][split]) for split in ("train", "val", "test")]
    assert sum(map(len, groups)) == len(set.union(*groups))
    volumes = {ref.volume_id: ref for ref in find_reader(root).index(root)}
    lesions = {row["lesion_id"]: row["split"] for row in read_csv(folder.parent / "candidates" / "lesions.csv")}
    rows = read_csv(folder.parent / "candidates" / "candidates.csv")
    assert {row["lesion_id"] for row in rows if row["label"] == "1"} <= set(lesions)
    for row in rows:
        assert (row["label"] == "1") == (row["lesion_id"] != "")
        if row["label"] == "1":
            assert lesions[row["lesion_id"]] == row["split"]
            mask = load_volume(volumes[row["volume_id"]]).mask
            z, y, x = (int(float(row[name])) for name in ("z_voxel", "y_voxel", "x_voxel"))
            assert mask[max(z - 2, 0) : z + 3, y - 2 : y + 3, x - 2 : x + 3].any()


def test_the_drawn_emboli_are_found_in_every_split(prepared: tuple[Path, Path, dict[str, Any]]) -> None:
    _, _, made = prepared
    for split in ("train", "val", "test"):
        found = made["detector"][split]
        assert found["lesions"] > 0
        assert found["sensitivity"] == 1.0
    assert made["detector"]["train"]["fps_per_volume"] <= 46.5


def test_a_volume_that_cannot_be_read_is_left_out_and_listed(prepared: tuple[Path, Path, dict[str, Any]]) -> None:
    _, folder, made = prepared
    assert [one["volume_id"] for one in made["skipped"]] == ["003"]
    assert "003.nrrd" in made["skipped"][0]["reason"]
    assert "left out: volume 003" in embolism.report(folder, made)
    assert "003" not in {row["volume_id"] for row in read_csv(folder.parent / "candidates" / "volumes.csv")}


def test_half_of_the_emboli_lies_within_all_of_them(
    prepared: tuple[Path, Path, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, folder, made = prepared
    monkeypatch.chdir(folder.parents[3])
    smaller, reduced = embolism.prepare(options(root, fraction=0.5))

    def emboli(place: Path, split: str) -> set[str]:
        lesion = {
            row["candidate_id"]: row["lesion_id"] for row in read_csv(folder.parent / "candidates/candidates.csv")
        }
        rows = [row for row in read_csv(place / "patches.csv") if row["split"] == split and row["label"] == "1"]
        return {lesion[row["candidate_id"]] for row in rows}

    all_used, half_used = emboli(folder, "train"), emboli(folder.parents[3] / smaller, "train")
    assert half_used < all_used
    assert len(half_used) == round(len(all_used) / 2)
    assert reduced["training_set"]["unit"] == "embolus"
    assert reduced["counts"]["test"] == made["counts"]["test"]


def test_nothing_is_done_when_nothing_changed(
    prepared: tuple[Path, Path, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    root, folder, made = prepared
    monkeypatch.chdir(folder.parents[3])
    stamps = {path: path.stat().st_mtime_ns for path in sorted(folder.rglob("*"))}
    assert embolism.prepare(options(root))[1] == made
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in stamps.items())


def test_masks_that_are_all_empty_are_refused_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    put_case(tmp_path / "set", "001", *draw_case(np.random.default_rng(1), 0))
    with pytest.raises(DataError, match="none of the 1 masks shows an embolus"):
        embolism.prepare(options(tmp_path / "set"))
    assert [path.name for path in (tmp_path / "data" / "embolism").glob("*/*")] == [".lock"]


def test_a_set_of_which_much_cannot_be_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for case in ("001", "002"):
        put_case(tmp_path / "set", case, *draw_case(np.random.default_rng(1), 1))
    (tmp_path / "set" / "rs" / "0001RefStd.nrrd").write_bytes(b"NRRD0004\n")
    with pytest.raises(DataError, match=r"1 of 2 volumes cannot be read.*0001RefStd\.nrrd"):
        embolism.prepare(options(tmp_path / "set"))


def test_an_interrupted_build_leaves_the_candidates_and_no_half_database(
    prepared: tuple[Path, Path, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    root, folder, _ = prepared
    monkeypatch.chdir(folder.parents[3])

    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(databases, "write_lmdb", interrupted)
        embolism.prepare(options(root, fraction=0.25))
    left = sorted(path.name for path in folder.parent.iterdir())
    assert "candidates" in left
    assert not [name for name in left if "0.25" in name or "partial" in name]


@pytest.mark.parametrize(
    "arguments", [["--scale", "huge"], ["--patches-per-candidate", "55"], ["--fraction", "0"], ["--seed", "-1"]]
)
def test_options_that_cannot_be_are_usage_errors(arguments: list[str]) -> None:
    with pytest.raises(UsageError):
        embolism.parse_options(arguments)
