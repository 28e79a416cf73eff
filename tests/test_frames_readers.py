"""Readers of frame sets: small folders in the exact layouts, with what goes wrong in them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from data_prep.frames_readers import FrameRef, find_reader
from data_prep.frames_readers.own_images import read_label
from layerwise.errors import DataError


def put(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.full((24, 32, 3), 90, np.uint8))
    return path


def read(root: Path) -> tuple[str, list[FrameRef]]:
    reader = find_reader(root)
    return reader.name, reader.index(root)


@pytest.mark.parametrize("above", [".", "FRAMES"])
def test_nbi_folds_stand_for_their_patients_and_only_i_is_informative(tmp_path: Path, above: str) -> None:
    for fold in (1, 2, 3):
        for name in "IBSU":
            put(tmp_path / above / f"Fold{fold}" / name / f"patient{fold}_f10.png")
            put(tmp_path / above / f"Fold{fold}" / name / f"patient{fold}_f9.png")
    (tmp_path / "._Fold4").mkdir()
    name, refs = read(tmp_path)
    assert name == "NBI-InfFrames"
    assert {ref.group_id for ref in refs} == {"Fold1", "Fold2", "Fold3"}
    assert [ref.kind for ref in refs if ref.informative] == ["informative"] * 6
    assert len(refs) == 24
    first, second = (ref.image_path.stem for ref in refs[:2])
    assert (first, second) == ("patient1_f9", "patient1_f10")


def test_nerthus_videos_come_from_the_names_and_scores_from_the_folders(tmp_path: Path) -> None:
    folder = tmp_path / "nerthus-dataset-frames"
    put(folder / "0" / "bowel_19_score_0-1_00000001.jpg")
    put(folder / "1" / "bowel_2_score_1-1_00000001.jpg")
    put(folder / "2" / "bowel_10_score_2-1_00000007.jpg")
    put(folder / "3" / "bowel_10_score_3-2_00000007.jpg")
    name, refs = read(tmp_path)
    assert name == "Nerthus"
    assert [(ref.group_id, ref.kind, ref.informative) for ref in refs] == [
        ("bowel_19", "BBPS 0", False),
        ("bowel_2", "BBPS 1", False),
        ("bowel_10", "BBPS 2", True),
        ("bowel_10", "BBPS 3", True),
    ]
    assert "not blur or wall contact" in find_reader(tmp_path).note


def test_a_nerthus_frame_in_the_wrong_folder_is_refused(tmp_path: Path) -> None:
    put(tmp_path / "nerthus-dataset-frames" / "1" / "bowel_2_score_1-1_00000001.jpg")
    put(tmp_path / "nerthus-dataset-frames" / "2" / "bowel_3_score_1-1_00000001.jpg")
    with pytest.raises(DataError, match="its name says score 1, its folder 2"):
        read(tmp_path)


def test_nerthus_frames_without_a_video_among_others_are_refused(tmp_path: Path) -> None:
    put(tmp_path / "nerthus-dataset-frames" / "1" / "bowel_2_score_1-1_00000001.jpg")
    put(tmp_path / "nerthus-dataset-frames" / "2" / "renamed.jpg")
    with pytest.raises(DataError, match=r"renamed.jpg: its video is not known"):
        read(tmp_path)


@pytest.mark.parametrize("above", ["labeled-images", "hyper-kvasir-labeled-images", "."])
def test_hyper_kvasir_has_no_groups_and_other_findings_are_left_out(tmp_path: Path, above: str) -> None:
    tract = tmp_path / above / "lower-gi-tract"
    for name in ("bbps-2-3", "bbps-0-1", "impacted-stool"):
        put(tract / "quality-of-mucosal-views" / name / f"{name}-0a1b.jpg")
    put(tract / "pathological-findings" / "polyps" / "p.jpg")
    (tmp_path / above / "image-labels.csv").write_text("Video file,Organ,Finding,Classification\n")
    name, refs = read(tmp_path)
    assert name == "HyperKvasir"
    assert {ref.kind: ref.informative for ref in refs} == {"bbps-2-3": True, "bbps-0-1": False, "impacted-stool": False}
    assert {ref.group_id for ref in refs} == {""}


def test_a_csv_says_label_video_and_split(tmp_path: Path) -> None:
    table = "path,label,group_id,split\na/1.png,informative,v1,\na/2.png,Non-Informative,v1,\nb/1.png,1,v2,test\n"
    (tmp_path / "labels.csv").write_bytes(b"\xef\xbb\xbf" + table.encode())
    name, refs = read(tmp_path)
    assert name == "folder and CSV"
    assert [(ref.frame_id, ref.group_id, ref.informative, ref.native_split) for ref in refs] == [
        ("a/1.png", "v1", True, ""),
        ("a/2.png", "v1", False, ""),
        ("b/1.png", "v2", True, "test"),
    ]
    assert refs[0].image_path == tmp_path / "a" / "1.png"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("1.png,maybe,v", r"line 3: label 'maybe'; expected informative or non-informative"),
        ("1.txt,1,v", r"line 3: path '1.txt' names no image"),
        (",1,v", r"line 3: path '' names no image"),
        ("0.png,1,v", "are both frame 0.png"),
        ("1.png,1,", "its video is not known, as for 0 more of 2"),
        ("1.png,1,NaN", "its video is not known, as for 0 more of 2"),
        ("1.png,nan,v", r"line 3: label 'nan'"),
        ("0.png,0,v", "are both frame 0.png"),
        ("./x/../0.png,0,v", "are both frame 0.png"),
        ("../set/1.png,1,v", r"line 3: path '../set/1.png' leads out of"),
        ("/elsewhere/1.png,1,v", r"line 3: path '/elsewhere/1.png' leads out of"),
        ("\n\n1.png,maybe,v", "line 5: label 'maybe'"),
        ("1.png", r"line 3: label ''"),
        ("1.png,1,v,dev", r"line 3: split 'dev'"),
    ],
)
def test_a_wrong_row_of_a_csv_is_named(tmp_path: Path, row: str, message: str) -> None:
    (tmp_path / "labels.csv").write_text(f"path,label,group_id,split\n0.png,0,v\n{row}\n")
    with pytest.raises(DataError, match=message):
        read(tmp_path)


def test_a_csv_as_a_spreadsheet_saves_it_reads_alike(tmp_path: Path) -> None:
    plain = 'path,label,group_id\na/1.png,1,v1\n"a/2, late.png",0,v1\n'
    for name, data in (
        ("plain", plain.encode()),
        ("marked", b"\xef\xbb\xbf" + plain.encode()),
        ("lines of another system", plain.replace("\n", "\r\n").encode()),
        ("names in capitals, blanks", plain.replace("path,label,group_id", " Path , LABEL,Group_ID,").encode()),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "labels.csv").write_bytes(data)
        refs = read(tmp_path / name)[1]
        found = [(ref.frame_id, ref.group_id, ref.informative) for ref in refs]
        assert found == [("a/1.png", "v1", True), ("a/2, late.png", "v1", False)], name


def test_a_csv_in_another_encoding_is_refused_also_far_down(tmp_path: Path) -> None:
    rows = "".join(f"{k}.png,1,v{k}\n" for k in range(2000))
    (tmp_path / "labels.csv").write_bytes(f"path,label,group_id\n{rows}m\u00fcller.png,1,v\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"labels.csv: cannot be read as CSV in UTF-8"):
        read(tmp_path)


def test_two_folders_of_one_class_are_refused(tmp_path: Path) -> None:
    for name in ("informative", "good", "bad"):
        put(tmp_path / name / "1.png")
    with pytest.raises(DataError, match="name the same class"):
        read(tmp_path)


def test_folders_of_the_two_classes_may_hold_one_folder_per_video(tmp_path: Path) -> None:
    put(tmp_path / "informative" / "v1" / "1.png")
    put(tmp_path / "Non-informative" / "v1" / "2.png")
    put(tmp_path / "Non-informative" / "v2" / "1.png")
    name, refs = read(tmp_path)
    assert name == "a folder per class"
    assert [(ref.frame_id, ref.group_id, ref.informative) for ref in refs] == [
        ("Non-informative/v1/2", "v1", False),
        ("Non-informative/v2/1", "v2", False),
        ("informative/v1/1", "v1", True),
    ]


@pytest.mark.parametrize(
    ("text", "label"),
    [("Informative", True), ("non informative", False), ("uninformative", False), (" 1 ", True), ("yes", None)],
)
def test_words_for_the_two_classes(text: str, label: bool | None) -> None:
    assert read_label(text) is label


def test_an_unknown_layout_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    put(tmp_path / "holiday" / "1.png")
    with pytest.raises(DataError, match=r"(?s)NBI-InfFrames.*Nerthus.*HyperKvasir.*found there: holiday/"):
        find_reader(tmp_path)
    with pytest.raises(DataError, match="is not a folder"):
        find_reader(tmp_path / "nothing")


def test_a_known_layout_without_images_is_refused(tmp_path: Path) -> None:
    (tmp_path / "FRAMES" / "Fold1" / "I").mkdir(parents=True)
    with pytest.raises(DataError, match="looks like NBI-InfFrames, but no frame was found"):
        read(tmp_path)
