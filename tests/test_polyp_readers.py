"""Readers of the public polyp sets, on folders laid out by hand."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from data_prep.polyp import read_frames
from data_prep.polyp_readers import find_reader, load_frame
from data_prep.polyp_readers.layouts import clinic_db_sequence
from layerwise.errors import DataError

SHAPE = (48, 64)


def put_image(path: Path, shape: tuple[int, int] = SHAPE, value: int = 90) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.full((*shape, 3), (value, 60, 30), np.uint8))


def put_mask(path: Path, *boxes: tuple[int, int, int, int], shape: tuple[int, int] = SHAPE, white: int = 255) -> None:
    mask = np.zeros(shape, np.uint8)
    for x0, y0, x1, y1 in boxes:
        mask[y0:y1, x0:x1] = white
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), mask)


def put_text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def video_db(root: Path) -> Path:
    folder = root / "CVC-VideoClinicDBtrain_valid"
    for video, frame in ((2, 1), (10, 1), (10, 2), (10, 11)):
        put_image(folder / str(video) / f"{video}_{frame}.png")
        put_mask(folder / str(video) / f"{video}_{frame}_mask.png", (8, 4, 24, 16))
    return root


def test_video_db_frames_come_in_natural_order_with_the_video_as_group(tmp_path: Path) -> None:
    refs = find_reader(video_db(tmp_path)).index(tmp_path)
    assert find_reader(tmp_path).name == "CVC-ClinicVideoDB"
    assert [(ref.frame_id, ref.group_id) for ref in refs] == [
        ("2_1", "2"),
        ("10_1", "10"),
        ("10_2", "10"),
        ("10_11", "10"),
    ]


@pytest.mark.parametrize("mask_name", ["3_7.png", "3_7_mask.png"])
@pytest.mark.parametrize("image_folder", ["3", "images"])
def test_video_db_with_all_masks_in_one_folder(tmp_path: Path, mask_name: str, image_folder: str) -> None:
    put_image(tmp_path / image_folder / "3_7.png")
    put_mask(tmp_path / "Masks" / mask_name, (8, 4, 24, 16))
    (frame,) = read_frames(tmp_path)
    assert (frame.frame_id, frame.group_id) == ("3_7", "3")
    assert frame.lesions[0].box_xyxy_px == (8, 4, 24, 16)


def test_images_are_rgb_and_lesions_are_connected_parts_without_specks(tmp_path: Path) -> None:
    put_image(tmp_path / "1" / "1_1.png", (200, 300), value=90)
    put_mask(tmp_path / "1" / "1_1_mask.png", (10, 10, 30, 20), (50, 60, 70, 90), (100, 5, 103, 8), shape=(200, 300))
    (frame,) = read_frames(tmp_path)
    assert frame.image_rgb[0, 0].tolist() == [30, 60, 90]
    assert [(lesion.lesion_id, lesion.box_xyxy_px, lesion.area_px) for lesion in frame.lesions] == [
        ("1_1-l1", (10, 10, 30, 20), 200),
        ("1_1-l2", (50, 60, 70, 90), 600),
    ]
    assert frame.mask[15, 15] == 1
    assert frame.mask[70, 60] == 2
    assert frame.mask[6, 101] == 0  # 9 px of 60,000: below 0.02 %


@pytest.mark.parametrize("below", ["", "PNG", "TIF", "CVC-ClinicDB"])
@pytest.mark.parametrize("suffix", [".tif", ".png"])
def test_clinic_db_groups_are_its_sequences(tmp_path: Path, below: str, suffix: str) -> None:
    for number in (2, 25, 26, 612):
        put_image(tmp_path / below / "Original" / f"{number}{suffix}")
        put_mask(tmp_path / below / "Ground Truth" / f"{number}{suffix}", (8, 4, 24, 16))
    frames = list(read_frames(tmp_path))
    assert [frame.group_id for frame in frames] == ["sequence-01", "sequence-01", "sequence-02", "sequence-29"]
    assert all(len(frame.lesions) == 1 for frame in frames)


def test_clinic_db_has_29_sequences_with_the_published_bounds() -> None:
    numbers = [clinic_db_sequence(number) for number in range(1, 613)]
    assert sorted(set(numbers)) == list(range(1, 30))
    # ends of sequences 3, 10, 17 and 28, and how long the shortest is
    assert [numbers[end - 1] for end in (67, 205, 363, 591)] == [3, 10, 17, 28]
    assert [numbers[end] for end in (67, 205, 363, 591)] == [4, 11, 18, 29]
    assert min(numbers.count(k) for k in range(1, 30)) == 6


def test_clinic_db_frame_of_unknown_sequence_is_refused(tmp_path: Path) -> None:
    put_image(tmp_path / "Original" / "613.tif")
    put_mask(tmp_path / "Ground Truth" / "613.tif")
    with pytest.raises(DataError, match=r"613\.tif.*frames 1 to 612"):
        find_reader(tmp_path).index(tmp_path)


@pytest.mark.parametrize(
    ("images", "masks", "prefix"),
    [("ETIS-LaribPolypDB", "Ground Truth", "p"), ("ETIS-LaribPolypDB/images", "ETIS-LaribPolypDB/masks", "")],
)
def test_etis_is_test_only(tmp_path: Path, images: str, masks: str, prefix: str) -> None:
    for number in (1, 2):
        put_image(tmp_path / images / f"{number}.tif")
        put_mask(tmp_path / masks / f"{prefix}{number}.tif", (8, 4, 24, 16))
    reader = find_reader(tmp_path)
    assert reader.name == "ETIS-Larib"
    assert [ref.native_split for ref in reader.index(tmp_path)] == ["test", "test"]
    assert [len(frame.lesions) for frame in read_frames(tmp_path)] == [1, 1]


@pytest.mark.parametrize("frame_first", [True, False])
def test_vps_layout_keeps_its_test_set_and_takes_the_folder_as_video(tmp_path: Path, frame_first: bool) -> None:
    for part, video in (("VPS-TrainSet/ASU-Mayo_Clinic/Train", "v1"), ("VPS-TestSet/CVC-ClinicDB-612-Test", "v2")):
        for kind, put, suffix in (("Frame", put_image, ".jpg"), ("GT", put_mask, ".png")):
            below = f"{kind}/{video}" if frame_first else f"{video}/{kind}"
            put(tmp_path / part / below / f"0001{suffix}")
    refs = find_reader(tmp_path).index(tmp_path)
    assert {(ref.group_id, ref.native_split) for ref in refs} == {
        ("VPS-TrainSet/ASU-Mayo_Clinic/Train/v1", ""),
        ("VPS-TestSet/CVC-ClinicDB-612-Test/v2", "test"),
    }
    assert len(list(read_frames(tmp_path))) == 2


def ld_polyp(root: Path, boxes: str, part: str = "TrainValid") -> Path:
    put_image(root / part / "Images" / "7" / "0001.jpg")
    put_text(root / part / "Annotations" / "7" / "0001.txt", boxes)
    return root


def test_ld_polyp_boxes_become_lesions_the_small_one_on_top(tmp_path: Path) -> None:
    (frame,) = read_frames(ld_polyp(tmp_path, "2\n10 10 16 16\n4 2 40 30\n"))
    assert [lesion.box_xyxy_px for lesion in frame.lesions] == [(4, 2, 40, 30), (10, 10, 16, 16)]
    assert frame.mask[12, 12] == 2
    assert frame.mask[25, 30] == 1


def test_ld_polyp_frame_without_polyp_and_published_test_set(tmp_path: Path) -> None:
    ld_polyp(tmp_path, "0\n", part="Test")
    (ref,) = find_reader(tmp_path).index(tmp_path)
    assert ref.native_split == "test"
    assert load_frame(ref).lesions == ()


def test_a_box_drawn_twice_is_one_lesion(tmp_path: Path) -> None:
    (frame,) = read_frames(ld_polyp(tmp_path, "2\n4 2 40 30\n4 2 40 30\n"))
    assert len(frame.lesions) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2\n1 2 30 40\n", "line 1 says 2, but 1 boxes follow"),
        ("", "line 1 says nothing, but 0 boxes follow"),
        ("1\n1 2 30\n", "not `xmin ymin xmax ymax`"),
        ("1\n30 2 10 40\n", "no pixel in the 64x48 frame"),
        ("1\n100 2 140 40\n", "no pixel in the 64x48 frame"),
    ],
)
def test_box_files_that_make_no_sense_are_refused_by_name(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=rf"0001\.txt: .*{message}"):
        list(read_frames(ld_polyp(tmp_path, text)))


def test_wrong_size_mask_is_refused_with_both_sizes(tmp_path: Path) -> None:
    put_image(tmp_path / "1" / "1_1.png")
    put_mask(tmp_path / "1" / "1_1_mask.png", shape=(24, 32))
    with pytest.raises(DataError, match=r"1_1_mask\.png: the mask is 32x24 pixels, its image 64x48"):
        list(read_frames(tmp_path))


def test_missing_mask_is_refused(tmp_path: Path) -> None:
    video_db(tmp_path)
    (tmp_path / "CVC-VideoClinicDBtrain_valid" / "10" / "10_2_mask.png").unlink()
    with pytest.raises(DataError, match=r"10_2_mask\.png: the mask cannot be read \(No such file"):
        list(read_frames(tmp_path))


@pytest.mark.parametrize("content", [b"", b"this is no picture"])
def test_unreadable_mask_is_refused(tmp_path: Path, content: bytes) -> None:
    put_image(tmp_path / "1" / "1_1.png")
    (tmp_path / "1" / "1_1_mask.png").write_bytes(content)
    with pytest.raises(DataError, match=r"1_1_mask\.png: the mask of \d+ bytes cannot be decoded"):
        list(read_frames(tmp_path))


def test_mask_that_counts_labels_is_refused(tmp_path: Path) -> None:
    put_image(tmp_path / "1" / "1_1.png")
    put_mask(tmp_path / "1" / "1_1_mask.png", (8, 4, 24, 16), white=1)
    with pytest.raises(DataError, match="values reach 1 only, expected 0"):
        list(read_frames(tmp_path))


def test_jpeg_masks_are_cut_at_half(tmp_path: Path) -> None:
    put_image(tmp_path / "v" / "Frame" / "1.jpg")
    put_mask(tmp_path / "v" / "GT" / "1.jpg", (8, 8, 24, 24))
    (frame,) = read_frames(tmp_path)
    assert frame.lesions[0].box_xyxy_px == (8, 8, 24, 24)
    assert frame.lesions[0].area_px == 256


def test_unknown_layout_says_what_was_looked_for_and_found(tmp_path: Path) -> None:
    put_image(tmp_path / "holiday" / "beach.jpg")
    with pytest.raises(DataError) as caught:
        find_reader(tmp_path)
    for expected in ("CVC-ClinicVideoDB", "LDPolypVideo", "ASU-Mayo", "CVC-ClinicDB", "ETIS", "found there: holiday/"):
        assert expected in str(caught.value)


def test_data_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not a folder"):
        find_reader(tmp_path / "absent")


def test_two_files_of_one_frame_are_refused(tmp_path: Path) -> None:
    for suffix in (".png", ".bmp"):
        put_image(tmp_path / "1" / f"1_1{suffix}")
    put_mask(tmp_path / "1" / "1_1_mask.png")
    with pytest.raises(DataError, match="both frame 1_1"):
        find_reader(tmp_path).index(tmp_path)
