"""Which errors are shown first, how many are counted, and where the tiles are cut; and the counts per split.

A truth is drawn as (id, group, box) of lesions and (id, group, box, lesion hit or "", score) of candidates, with one
frame of 200x150 px per group.
"""

from __future__ import annotations

import base64

import cv2
import numpy as np
import pytest

from eval.candidates import FRAME, DetectionTruth
from eval.frame_pictures import FramePictures
from eval.split_counts import split_counts
from eval.worst_errors import TILES, TILES_PER_GROUP, worst_errors
from layerwise.files import write_csv

SMALL, LARGE, ELSEWHERE = (40, 40, 60, 60), (40, 40, 90, 90), (100, 100, 130, 130)


def truth_of(lesions, candidates):
    groups = dict.fromkeys(group for _, group, *_ in [*lesions, *candidates])
    size = {"width_px": "200", "height_px": "150"}
    frames = {
        f"f{g}": {"frame_id": f"f{g}", "group_id": g, "split": "test", "path": f"f{g}.png", **size} for g in groups
    }

    def place(group, box):
        edges = {column: str(edge) for column, edge in zip(FRAME.place_columns, box, strict=True)}
        return {"frame_id": f"f{group}", "group_id": group, "split": "test", **edges}

    return DetectionTruth(
        FRAME,
        frames,
        {key: {"lesion_id": key, **place(group, box)} for key, group, box in lesions},
        {
            key: {"candidate_id": key, "lesion_id": hit, "label": str(int(hit != "")), **place(group, box)}
            for key, group, box, hit, _ in candidates
        },
    )


def errors_of(lesions, candidates, threshold, folder):
    truth, score = truth_of(lesions, candidates), np.array([candidate[-1] for candidate in candidates])
    return worst_errors(truth, score, threshold, FramePictures(truth, folder))


def test_lesion_is_missed_only_if_its_best_candidate_is_below_the_threshold(tmp_path):
    """A: 0.2 and 0.7, found.   B: 0.5, at the threshold and so found.   C: 0.1 and 0.4, missed with 0.4."""
    lesions = [("A", "1", SMALL), ("B", "2", SMALL), ("C", "3", SMALL)]
    candidates = [
        ("a1", "1", SMALL, "A", 0.2), ("a2", "1", SMALL, "A", 0.7), ("b1", "2", SMALL, "B", 0.5),
        ("c1", "3", SMALL, "C", 0.4), ("c2", "3", SMALL, "C", 0.1),
    ]  # fmt: skip
    errors = errors_of(lesions, candidates, 0.5, tmp_path)
    assert (errors.n_rejected, errors.n_never_proposed, errors.n_false_positives) == (1, 0, 0)
    assert [(tile.image_id, tile.score) for tile in errors.rejected] == [("f3", 0.4)]


def test_false_positive_counts_from_the_threshold_on_and_the_highest_comes_first(tmp_path):
    candidates = [(f"x{s}", str(s), SMALL, "", s) for s in (0.5, 0.9, 0.49, 0.6)]
    errors = errors_of([("A", "1", SMALL)], candidates, 0.5, tmp_path)
    assert errors.n_false_positives == 3
    assert [tile.score for tile in errors.false_positives] == [0.9, 0.6, 0.5]


def test_lesion_without_candidate_is_the_detectors_miss_and_the_largest_comes_first(tmp_path):
    lesions = [("A", "1", SMALL), ("B", "2", LARGE), ("C", "3", SMALL)]
    errors = errors_of(lesions, [("c", "3", SMALL, "C", 0.9)], 0.5, tmp_path)
    assert (errors.n_rejected, errors.n_never_proposed) == (0, 2)
    assert [(tile.image_id, tile.score) for tile in errors.never_proposed] == [("f2", None), ("f1", None)]


def test_no_threshold_misses_every_lesion_and_accepts_nothing(tmp_path):
    candidates = [("a", "1", SMALL, "A", 0.9), ("x", "1", ELSEWHERE, "", 0.95)]
    errors = errors_of([("A", "1", SMALL)], candidates, np.inf, tmp_path)
    assert (errors.n_rejected, errors.n_false_positives) == (1, 0)


def test_one_video_does_not_fill_the_page(tmp_path):
    """Ten errors in video 1, all worse than the one in video 2: video 2 is still shown, and all are counted."""
    candidates = [(f"x{n}", "1", SMALL, "", 0.9) for n in range(10)] + [("y", "2", SMALL, "", 0.6)]
    errors = errors_of([("A", "1", SMALL)], candidates, 0.5, tmp_path)
    assert [tile.group_id for tile in errors.false_positives] == ["1"] * TILES_PER_GROUP + ["2"]
    assert errors.n_false_positives == 11


def test_at_most_so_many_tiles_are_shown(tmp_path):
    candidates = [(f"x{n}", str(n), SMALL, "", 0.9) for n in range(TILES + 3)]
    assert len(errors_of([("A", "0", SMALL)], candidates, 0.5, tmp_path).false_positives) == TILES


def test_tile_shows_the_lesion_with_its_best_candidate_and_drawn_boxes_lie_on_the_pixels(tmp_path):
    """The lesion is a white square in a black frame: white inside the drawn box, black around it."""
    frame = np.zeros((150, 200, 3), np.uint8)
    frame[40:90, 40:90] = 255
    cv2.imwrite(str(tmp_path / "f1.png"), frame)
    errors = errors_of([("A", "1", LARGE)], [("a", "1", (45, 45, 95, 95), "A", 0.1)], 0.5, tmp_path)
    tile = errors.rejected[0]
    assert [box.kind for box in tile.boxes] == ["lesion", "candidate"]
    encoded = base64.b64decode(tile.image_uri.removeprefix("data:image/png;base64,"))
    pixels = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert pixels is not None
    scale = pixels.shape[0] / tile.width_px
    lesion = tile.boxes[0]
    x0, y0 = round(lesion.x_px * scale), round(lesion.y_px * scale)
    x1, y1 = round((lesion.x_px + lesion.width_px) * scale), round((lesion.y_px + lesion.height_px) * scale)
    assert pixels[y0 + 1 : y1 - 1, x0 + 1 : x1 - 1].min() == 255
    pixels[y0 - 1 : y1 + 1, x0 - 1 : x1 + 1] = 0
    assert pixels.max() == 0


@pytest.mark.parametrize("corner", [(0, 0, 20, 20), (180, 130, 200, 150)])
def test_tile_at_the_edge_stays_in_the_frame(corner, tmp_path):
    """A white frame: a tile that left it would have black in it."""
    cv2.imwrite(str(tmp_path / "f1.png"), np.full((150, 200, 3), 255, np.uint8))
    tile = errors_of([("A", "1", SMALL)], [("x", "1", corner, "", 0.9)], 0.5, tmp_path).false_positives[0]
    encoded = base64.b64decode(tile.image_uri.removeprefix("data:image/png;base64,"))
    assert cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_GRAYSCALE).min() == 255


@pytest.mark.parametrize("content", [None, b"", b"no image"])
def test_frame_that_cannot_be_read_leaves_a_tile_without_picture(content, tmp_path):
    if content is not None:
        (tmp_path / "f1.png").write_bytes(content)
    tile = errors_of([("A", "1", SMALL)], [("x", "1", SMALL, "", 0.9)], 0.5, tmp_path).false_positives[0]
    assert tile.image_uri == "" and tile.boxes


def test_split_counts_found_lesions_once_and_false_candidates_only(tmp_path):
    """train: 2 videos, 3 frames, lesions A and B; A hit twice, B never, 3 candidates hit nothing. val: one frame.

    Detector on train: 1 of 2 lesions, 3 false positives in 3 frames."""
    blank = dict.fromkeys((*FRAME.place_columns, "detector_score", "path", "width_px", "height_px"), "0")
    videos = {"f1": "1", "f2": "1", "f3": "2", "f4": "3"}

    def row(split, frame, **values):
        return {**blank, "split": split, "frame_id": frame, "group_id": videos[frame], **values}

    def write(name, columns, rows):
        kept = [{column: row[column] for column in columns} for row in rows]
        write_csv(tmp_path / "candidates" / f"{name}.csv", columns, kept)

    write("frames", FRAME.image_columns, [row("val" if frame == "f4" else "train", frame) for frame in videos])
    write("lesions", FRAME.lesion_columns, [row("train", "f1", lesion_id=key) for key in "AB"])
    hits = ["A", "A", "", "", ""]
    candidates = [row("train", "f1", candidate_id=n, label=int(h != ""), lesion_id=h) for n, h in enumerate(hits)]
    write("candidates", FRAME.candidate_columns, candidates)
    train, val, test = split_counts(tmp_path, FRAME)
    assert (train.n_groups, train.n_images, train.n_images_with_lesion, train.n_lesions) == (2, 3, 1, 2)
    assert (train.n_candidates, train.n_hits, train.detector_sensitivity, train.detector_fps_per_image) == (
        5,
        2,
        0.5,
        1.0,
    )
    assert (val.n_images, val.detector_sensitivity, val.detector_fps_per_image) == (1, None, 0.0)
    assert (test.n_images, test.detector_fps_per_image) == (0, None)
