"""From regions to databases: patches lie where their label says, subjects stay whole, what is damaged is listed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from data_prep import intima, intima_rois
from data_prep.fractions import reduce_training
from data_prep.intima_maps import region_grid, region_pixels
from data_prep.intima_patches import (
    FAR_UM,
    WIDEST_BAND_PX,
    WINDOW_UM,
    cut,
    find_places,
    plan_patches,
    resample,
)
from data_prep.intima_readers import find_reader
from data_prep.intima_rois import PlannedRoi, read_rois
from data_prep.lmdb_reader import read_datums
from layerwise.errors import DataError, UsageError
from layerwise.files import read_csv

SIZE = 259  # of the patches of alexnet_half
LIMITS = {"train": 90, "val": 30, "test": 60}


def region(name: str, group: str, split: str, li: float = 40.0, pixel_um: float = 60.0) -> PlannedRoi:
    columns = np.arange(30, 60)
    return PlannedRoi(
        name, group, split, Path("none"), pixel_um, 20, 80, columns, np.full(30, li), np.full(30, li + 12)
    )


REGIONS = [region(f"r{k}", f"s{k}", split) for k, split in enumerate(("train", "train", "train", "val", "test"))]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """data/intima/<dataset> of the smallest phantom."""
    home = tmp_path_factory.mktemp("intima")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        intima.prepare(intima.parse_options(["--scale", "smoke", "--workers", "1"]))
    return home / "data" / "intima" / "phantom-seed0-smoke"


def test_a_patch_is_centred_on_the_place_it_is_of() -> None:
    """A pixel that stands out appears in the middle of the patch about it, as large as its pixel is."""
    image = np.full((200, 300), 100, np.uint8)
    image[90, 140] = 200
    for pixel_um in (46.0, 60.0, 74.0):
        raster = resample(image, pixel_um, (80, 100), (120, 160), SIZE)
        patch = raster.patch(90, 140, SIZE) - 100.0
        i, j = np.mgrid[:SIZE, :SIZE]
        centre = (i * patch).sum() / patch.sum(), (j * patch).sum() / patch.sum()
        assert centre == pytest.approx((SIZE // 2, SIZE // 2), abs=0.6)
        assert patch.sum() / 100 == pytest.approx((pixel_um / (WINDOW_UM / SIZE)) ** 2, rel=0.05)


def test_patches_reach_over_the_border_of_the_image_by_reflection() -> None:
    image = np.arange(200, dtype=np.uint8)[:, None].repeat(200, axis=1)
    raster = resample(image, 60.0, (0, 199), (0, 199), SIZE)
    patch = raster.patch(0, 0, SIZE)
    assert patch.shape == (SIZE, SIZE)
    assert np.abs(patch[::-1].astype(int) - patch).max() <= 2  # about row 0


def test_places_lie_on_their_boundary_or_far_from_both() -> None:
    places = find_places(REGIONS[:3], 90, np.random.default_rng(0))
    assert np.all(places.row_px[places.label == 1] == 40)
    assert np.all(places.row_px[places.label == 2] == 52)
    none = places.row_px[places.label == 0]
    assert np.all(np.minimum(np.abs(none - 40), np.abs(none - 52)) * 60 >= FAR_UM)
    assert {len(places.row_px[places.label == label]) for label in range(3)} == {90}


def test_rows_beside_the_line_are_taken_only_as_columns_run_out() -> None:
    for wanted, band in ((90, 0), (91, 1), (270, 1), (271, 2), (9999, WIDEST_BAND_PX)):
        places = find_places(REGIONS[:3], wanted, np.random.default_rng(0))
        assert set(places.offset_px[places.label == 1]) == set(range(-band, band + 1))
        assert np.all(places.row_px[places.label == 1] - 40 == places.offset_px[places.label == 1])


def test_every_class_has_as_many_patches_and_every_subject_one_split() -> None:
    planned = plan_patches(REGIONS, LIMITS, 0, False)
    for split, patches in planned.items():
        labels = [patch.label for patch in patches]
        assert [labels.count(label) for label in range(3)] == [LIMITS[split] // 3] * 3
        assert {patch.group_id for patch in patches} <= {roi.group_id for roi in REGIONS if roi.split == split}
        keys = [patch.key for patch in patches]
        assert keys == sorted(set(keys))
    assert planned == plan_patches(REGIONS, LIMITS, 0, False)


def test_reduced_to_one_subject() -> None:
    reduced = reduce_training([(roi.split, roi.group_id, "") for roi in REGIONS], 0.05, 0, unit="subject")
    planned = plan_patches(REGIONS, LIMITS, 0, False, reduced)
    whole = plan_patches(REGIONS, LIMITS, 0, False)
    (subject,) = {patch.group_id for patch in planned["train"]}
    of_subject = {(p.source_id, p.spec, p.label) for p in whole["train"] if p.group_id == subject}
    assert {(p.source_id, p.spec, p.label) for p in planned["train"]} == of_subject
    assert len(planned["train"]) < len(whole["train"])
    assert planned["test"] == whole["test"]


def test_patch_level_validation_shares_subjects_but_no_patch() -> None:
    regions = [replace(roi, split="train" if roi.split == "val" else roi.split) for roi in REGIONS]
    planned = plan_patches(regions, LIMITS, 0, True)
    assert (len(planned["train"]), len(planned["val"])) == (96, 24)
    places = [{(p.source_id, p.spec) for p in planned[split]} for split in ("train", "val")]
    assert not places[0] & places[1]


def test_a_split_without_regions_is_refused() -> None:
    with pytest.raises(DataError, match="the val split has 0 regions"):
        plan_patches([roi for roi in REGIONS if roi.split != "val"], LIMITS, 0, False)


def test_the_databases_hold_grey_patches_cut_at_their_places(prepared: Path) -> None:
    rows = read_csv(prepared / "patches-259" / "patches.csv")
    assert list(rows[0]) == ["key", "label", "group_id", "split", "roi_id", "column_px", "row_px", "offset_px"]
    test = [row for row in rows if row["split"] == "test"]
    records = list(read_datums(prepared / "patches-259" / "test_lmdb"))
    assert [key for key, _, _ in records] == [row["key"] for row in test]
    sources = {roi.roi_id: roi for roi in read_rois(prepared / "rois")}
    for (_, label, pixels), row in list(zip(records, test, strict=True))[::40]:
        assert label == int(row["label"])
        assert np.array_equal(pixels[0], pixels[1])
        assert np.array_equal(pixels[0], pixels[2])
        roi = sources[row["roi_id"]]
        (alone,) = cut((roi.path, roi.pixel_um), [(float(row["row_px"]), float(row["column_px"]))], SIZE)
        assert (
            np.abs(alone[..., 0].astype(int) - pixels[0]).mean() < 12
        )  # rasters of one place and of many differ by < 1 px


def test_a_stage_is_not_done_again(prepared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(prepared.parents[2])
    files = [
        prepared / "raw" / "phantom.json",
        prepared / "rois" / "rois.json",
        prepared / "patches-259" / "manifest.json",
    ]
    before = [path.stat().st_mtime_ns for path in files]
    intima.prepare(intima.parse_options(["--scale", "smoke", "--workers", "1"]))
    assert [path.stat().st_mtime_ns for path in files] == before


def test_few_damaged_regions_are_listed_and_many_are_refused(prepared: Path, tmp_path: Path) -> None:
    refs = find_reader(prepared / "raw").index(prepared / "raw")
    damaged = replace(refs[0], pixel_path=tmp_path / "no_CF.txt")
    arguments = {"seed": 0, "test_fraction": 0.4, "val_fraction": 0.2, "facts": {}, "workers": 1}
    record = intima_rois.build_rois([damaged, *refs[1:]], tmp_path / "rois", **arguments)
    (skipped,) = read_csv(tmp_path / "rois" / "skipped.csv")
    assert record["skipped"] == 1
    assert skipped["roi_id"] == refs[0].roi_id
    assert "no_CF.txt" in skipped["reason"]
    with pytest.raises(DataError, match="2 of 12 regions cannot be used"):
        intima_rois.build_rois([damaged, damaged, *refs[2:]], tmp_path / "again", **arguments)
    assert not (tmp_path / "again").exists()


@pytest.mark.parametrize("arguments", [["--scale", "huge"], ["--max-train-patches", "2"], ["--fraction", "0"]])
def test_wrong_options_are_refused(arguments: list[str]) -> None:
    with pytest.raises(UsageError):
        intima.parse_options(arguments)


def test_a_folder_that_nobody_reads_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pictures").mkdir()
    with pytest.raises(DataError, match="none of the layouts"):
        intima.prepare(intima.parse_options(["--data", "pictures"]))
    assert [path.name for path in tmp_path.iterdir()] == ["pictures"]


def test_maps_cover_the_region_and_lead_back_to_the_image(prepared: Path) -> None:
    roi = read_rois(prepared / "rois")[0]
    grid = region_grid(roi, SIZE, 4)
    assert grid.rows_px[0] == roi.top_px
    assert grid.rows_px[-1] >= roi.bottom_px - 1
    assert grid.columns_px[-1] >= roi.columns_px[-1]
    for places in (grid.rows_px, grid.columns_px):
        assert np.diff(places) * roi.pixel_um == pytest.approx(4 * WINDOW_UM / SIZE)
    slanted = roi.top_px + 10 + 0.05 * (grid.columns_px - grid.columns_px[0])
    found = (slanted - grid.rows_px[0]) / (grid.rows_px[1] - grid.rows_px[0])
    back = grid.on_columns(found, roi.columns_px)
    assert back == pytest.approx(roi.top_px + 10 + 0.05 * (roi.columns_px - roi.columns_px[0]))


def test_the_squares_of_a_regions_pixels_are_the_patches_of_the_databases(prepared: Path) -> None:
    roi = read_rois(prepared / "rois")[0]
    grid = region_grid(roi, SIZE, 4)
    pixels = region_pixels(roi, grid, SIZE)
    assert min(pixels.shape[1] - SIZE - 4 * (grid.shape[0] - 1), pixels.shape[2] - SIZE - 4 * (grid.shape[1] - 1)) >= 0
    last = grid.shape[0] - 1, grid.shape[1] - 1
    cells = [*((i, j) for i in range(0, last[0], 7) for j in range(0, last[1], 9)), last]
    specs = [(float(grid.rows_px[i]), float(grid.columns_px[j])) for i, j in cells]
    for (i, j), patch in zip(cells, cut((roi.path, roi.pixel_um), specs, SIZE), strict=True):
        assert np.array_equal(pixels[:, 4 * i : 4 * i + SIZE, 4 * j : 4 * j + SIZE], patch.transpose(2, 0, 1))
