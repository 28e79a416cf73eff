"""What a user's folder or table says, and the messages for those who arranged it otherwise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from data_prep.custom import read_listing
from data_prep.custom_listing import Listing, parse_classes
from layerwise.errors import DataError, UsageError


def touch(root: Path, *names: str) -> Path:
    """Empty files: nothing is decoded where these tests look."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def table(root: Path, text: str) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    (root / "labels.csv").write_text(text, encoding="utf-8")
    return root


def rows(listing: Listing) -> list[tuple[str, str, str]]:
    return [(item.item_id, item.class_name, item.group_id) for item in listing.items]


def test_a_folder_is_a_class_and_a_folder_in_it_a_group(tmp_path: Path) -> None:
    root = touch(tmp_path, "sick/ann/1.png", "sick/ann/deep/2.TIF", "healthy/ann/1.jpg", "healthy/bob/10.png")
    listing = read_listing(root, ())
    assert listing.class_names == ("healthy", "sick")
    assert sorted(rows(listing)) == [
        ("healthy/ann/1.jpg", "healthy", "ann"),
        ("healthy/bob/10.png", "healthy", "bob"),
        ("sick/ann/1.png", "sick", "ann"),
        ("sick/ann/deep/2.TIF", "sick", "ann"),
    ]
    assert read_listing(root, ("sick", "healthy")).class_names == ("sick", "healthy")


def test_what_is_left_out_or_passed_over_is_noted(tmp_path: Path) -> None:
    root = touch(tmp_path, "a/1.png", "a/notes.txt", "a/.hidden.png", "b/1.png", "c/1.png", "1.png", "__MACOSX/x.png")
    listing = read_listing(root, ("a", "b"))
    assert [item.item_id for item in listing.items] == ["a/1.png", "b/1.png"]
    left, endings, beside = listing.notes
    assert left == "left out, as CLASSES does not name them: c"
    assert "1 of .txt" in endings
    assert "1 images in" in beside


def test_folders_named_train_and_test_are_splits(tmp_path: Path) -> None:
    root = touch(tmp_path, "train/a/1.png", "train/b/1.png", "Test/a/2.png", "Test/b/2.png")
    listing = read_listing(root, ())
    assert listing.class_names == ("a", "b")
    assert {item.item_id: item.native_split for item in listing.items} == {
        "train/a/1.png": "train",
        "train/b/1.png": "train",
        "Test/a/2.png": "test",
        "Test/b/2.png": "test",
    }


def test_a_table_names_boxes_groups_and_splits(tmp_path: Path) -> None:
    root = table(
        tmp_path,
        "Path;LABEL;group_id;x;y;w;h;split;remark\r\n"
        "img/1.png;b;p1;1;2;3,5;4;train;x\r\n"
        "img/1.png;a;p1;10;2;3;4;train;\r\n\r\n"
        "img/2.png;a;p2;;;;;test;\r\n",
    )
    one, two, whole = read_listing(root, ()).items
    assert (one.item_id, one.box_xywh_px, one.native_split) == ("img/1.png#1", (1.0, 2.0, 3.5, 4.0), "train")
    assert (two.item_id, two.class_name, two.image_path) == ("img/1.png#2", "a", root / "img" / "1.png")
    assert (whole.item_id, whole.box_xywh_px, whole.native_split) == ("img/2.png", None, "test")
    assert rows(read_listing(root / "labels.csv", ())) == rows(read_listing(root, ()))


def test_classes_sort_as_numbers_and_the_first_is_negative(tmp_path: Path) -> None:
    root = table(tmp_path, "path,label,group_id\n1.png,10,a\n2.png,2,b\n3.png,1,c\n")
    assert read_listing(root, ()).class_names == ("1", "2", "10")


HEAD = "path,label,group_id\n"
GOOD = HEAD + "1.png,a,p1\n2.png,b,p2\n"


@pytest.mark.parametrize(
    ("text", "classes", "message"),
    [
        ("path,lable,group_id\n", "", r"line 1: column 'label' is missing. Did you mean 'lable'\?"),
        ("file,label,group_id\n", "", "Rename 'file' to 'path'"),
        ("path,label,Patient_ID\n", "", "Rename 'patient_id' to 'group_id'.*If you do not know, add the column"),
        ("path,label,group_id,x,y\n", "", "of a box's columns x,y,w,h only x, y are there"),
        ("path,label,label,group_id\n", "", "column label stands there 2 times"),
        (HEAD, "", "no row below the names"),
        ("", "", "column 'path' is missing. There are: nothing"),
        (GOOD + "3.png,,p3\n", "", "line 4: no label"),
        (GOOD + ",a,p3\n", "", "line 4: no path"),
        (GOOD + "3.png,a,p3,more\n", "", "line 4: 4 cells, but 3 columns"),
        (GOOD + "3.png,a,\n", "", "line 4: no group, as for 1 of 3 images.*Fill in group_id"),
        (GOOD + "1.png,b,p1\n", "", "line 4: the same image as in line 2, as 'a' and as 'b'"),
        (GOOD + "3.png,A,p3\n", "", "'A' and 'a'.*differ in letter case"),
        (GOOD + "3.png,bb,p3\n", "a,b", r"line 4: label 'bb', which 1 of 3 rows have.*Did you mean 'b'\?"),
        (GOOD, "a,c", "CLASSES names 'c'.*There are: a, b"),
        (HEAD + "1.png,a,p\n", "", "one class only, 'a'"),
        ("path,label,group_id,split\n1.png,a,p,training\n", "", "split 'training'; expected train, val, test"),
        ("path,label,group_id,x,y,w,h\n1.png,a,p,1,2,,4\n", "", "x,y,w,h are 1, 2, empty, 4; expected four numbers"),
        ("path,label,group_id,x,y,w,h\n1.png,a,p,1,2,0,4\n", "", "a box of width 0 and height 4 px"),
        ("path,label,group_id,x,y,w,h\n1.png,a,p,1,2,nan,4\n", "", "expected more than 0 and finite"),
        ("PK\0\0", "", "no text but a binary file"),
    ],
)
def test_a_table_that_cannot_be_understood_is_explained(tmp_path: Path, text: str, classes: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_listing(table(tmp_path, text), parse_classes(classes))


def test_a_table_of_another_encoding_is_explained(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_bytes("path,label,group_id\n1.png,gesünder,p\n".encode("latin-1"))
    with pytest.raises(DataError, match="Save it as CSV, UTF-8"):
        read_listing(tmp_path, ())


@pytest.mark.parametrize(
    ("make", "classes", "message"),
    [
        (lambda root: touch(root, "1.png", "2.png"), "", "holds 2 images but no folder per class"),
        (lambda root: touch(root, "data.csv"), "", "its table is data.csv: rename it to labels.csv"),
        (lambda root: root, "", "neither class folders nor labels.csv; found there: nothing"),
        (lambda root: touch(root, "skin/a/1.png", "skin/b/1.png"), "", "one folder only, skin, .*give DATA=.*skin"),
        (lambda root: touch(root, "a/1.png"), "", "one class only, 'a'.*Add the images of the other class"),
        (lambda root: touch(root, "a/1.png", "b/notes.txt"), "", "holds no image .*found there: notes.txt"),
        (lambda root: touch(root, "benign/1.png", "malignant/1.png"), "benign,malignnt", "Did you mean 'malignant'"),
        (lambda root: touch(root, "a/1.png", "a/p/1.png", "b/p/1.png"), "", "no group, as for 1 of 3 images"),
        (lambda root: touch(root, "a/1.png", "A/1.png"), "", "differ in letter case"),
        (lambda root: touch(root, "val/a/1.png", "valid/a/1.png"), "", "both name the val split"),
        (lambda root: root / "nope", "", "has no 'nope'"),
        (lambda root: touch(root, "set.zip") / "set.zip", "", "a file but no table"),
    ],
)
def test_a_folder_that_cannot_be_understood_is_explained(
    tmp_path: Path, make: Callable[[Path], Path], classes: str, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        read_listing(make(tmp_path), parse_classes(classes))


def test_without_data_the_user_is_told_what_to_give() -> None:
    with pytest.raises(UsageError, match=r"DATA is missing.*one sub-folder of images per class.*path,label,group_id"):
        read_listing(None, ())


@pytest.mark.parametrize(("text", "message"), [("a", "two names or more"), ("a,,b", "two names"), ("a,b,a", "twice")])
def test_classes_that_cannot_be_are_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_classes(text)


def test_classes_may_have_blanks_around_and_in_them() -> None:
    assert parse_classes(" not sick , very sick") == ("not sick", "very sick")
    assert parse_classes(None) == parse_classes(" ") == ()
