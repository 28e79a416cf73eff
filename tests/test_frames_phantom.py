"""The frames phantom: deterministic, streamed, labelled by severity, in the layout that it names."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from data_prep import frames_scales
from data_prep.frames import reduce_frames
from data_prep.frames_patches import IndexedFrame, plan_crops
from data_prep.frames_phantom import artefacts, generate, plan_videos
from data_prep.frames_phantom.severity import KINDS, draw_spoilt
from data_prep.frames_phantom.video import VideoPlan, render_video
from data_prep.frames_phantom.write import SCALES, frame_class
from data_prep.frames_readers import find_reader
from data_prep.splits import Group, split_by_group
from layerwise.errors import DataError, UsageError
from layerwise.files import read_csv

PLAN = VideoPlan("1", 3, 0.5, np.random.SeedSequence(7))


def test_the_same_plan_gives_the_same_frames() -> None:
    first, second = list(render_video(PLAN)), list(render_video(PLAN))
    assert [spoilt for _, spoilt in first] == [spoilt for _, spoilt in second]
    for (a, _), (b, _) in zip(first, second, strict=True):
        assert (a.shape, a.dtype) == ((350, 500, 3), np.uint8)
        np.testing.assert_array_equal(a, b)


def test_frames_of_a_long_video_come_one_by_one() -> None:
    endless = VideoPlan("1", 5_000, 0.5, np.random.SeedSequence(7))
    frames = render_video(endless)
    assert not np.array_equal(next(frames)[0], next(frames)[0])


@pytest.mark.parametrize("difficulty", [0.0, 0.5])
def test_half_of_the_frames_is_informative_and_severity_tells_them_apart(difficulty: float) -> None:
    drawn = [frame for seed in range(20) for frame in draw_spoilt(np.random.default_rng(seed), 60, difficulty)]
    assert 0.45 < np.mean([frame.informative for frame in drawn]) < 0.55
    assert {frame.main for frame in drawn} == {"", *KINDS}
    wrong = np.mean([(max(frame.severity.values()) < 0.5) != frame.informative for frame in drawn])
    assert wrong == 0 if difficulty == 0 else 0.02 < wrong < 0.2


def test_videos_differ_in_what_spoils_them() -> None:
    share = [
        np.mean([frame.main == "motion" for frame in draw_spoilt(np.random.default_rng(seed), 200, 0.5)])
        for seed in range(12)
    ]
    assert np.std(share) > 0.05


def sharpness(image: np.ndarray) -> float:
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return float(np.abs(cv2.Laplacian(grey, cv2.CV_32F)).mean())


def test_artefacts_of_no_strength_change_nothing_and_stronger_ones_hide_more() -> None:
    noise = cv2.GaussianBlur(np.random.default_rng(0).random((120, 160, 3), np.float32), (0, 0), 6.0)
    image = (noise - noise.min()) / (noise.max() - noise.min())
    brown = np.array([0.5, 0.4, 0.2])

    def spoil(strength: float) -> list[np.ndarray]:
        rng = np.random.default_rng(1)
        return [
            artefacts.smear(rng, image, 30 * strength),
            artefacts.cover_with_bubbles(rng, image, strength),
            artefacts.cover_with_water(rng, image, strength),
            artefacts.cover_with_stool(rng, image, strength, brown),
            artefacts.glare(image, strength),
        ]

    for untouched in spoil(0.0):
        np.testing.assert_array_equal(untouched, image)
    for little, much in zip(spoil(0.2), spoil(0.9), strict=True):
        assert 0 < np.abs(little - image).mean() < np.abs(much - image).mean()
    assert sharpness(spoil(0.9)[0]) < 0.8 * sharpness(image)


def test_nothing_black_comes_into_view_from_beyond_the_border() -> None:
    view = np.zeros((64, 96), bool)
    view[8:-8, 16:-16] = True
    extended = artefacts.extend(np.where(view[..., None], np.float32(0.6), np.float32(0)).repeat(3, axis=2), view)
    np.testing.assert_array_equal(extended[view], np.float32(0.6))
    np.testing.assert_allclose(extended[:, 8:-8], 0.6, atol=0.02)


def test_the_phantom_is_read_as_what_it_claims_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SCALES, "smoke", type(SCALES["smoke"])(2, 4))
    record = generate(tmp_path / "phantom", seed=3, scale="smoke", workers=1)
    refs = find_reader(tmp_path / "phantom").index(tmp_path / "phantom")
    assert find_reader(tmp_path / "phantom").name == "NBI-InfFrames"
    assert {ref.group_id for ref in refs} == {"Fold1", "Fold2"}
    truth = {row["frame"]: row["informative"] == "1" for row in read_csv(tmp_path / "phantom" / "truth.csv")}
    assert truth == {ref.image_path.relative_to(tmp_path / "phantom").as_posix(): ref.informative for ref in refs}
    assert record["test_videos"] == ["2"]
    with pytest.raises(DataError, match="is not an empty folder"):
        generate(tmp_path / "phantom", seed=3, scale="smoke", workers=1)


def test_paper_scale_is_the_papers() -> None:
    plans = plan_videos(0, "paper", 0.5)
    assert (len(plans), sum(plan.n_frames for plan in plans)) == (6, 4000)


@pytest.mark.parametrize(
    ("patch_level_validation", "counts"),
    [
        # Of three videos one validates, a third: the crops of the other two's frames are fewer than the paper's 32,000.
        (False, {"train": 2 * 666 * 20, "val": 8_000, "test": 1999 * 20}),
        (True, {"train": 31_968, "val": 7_992, "test": 1999 * 20}),
    ],
)
def test_paper_scale_plans_twenty_crops_of_every_frame(patch_level_validation: bool, counts: dict[str, int]) -> None:
    videos = plan_videos(0, "paper", 0.5)
    groups = [Group(v.video_id, v.n_frames, v.n_frames // 2, "test" * (k >= 3)) for k, v in enumerate(videos)]
    split = split_by_group(groups, 0, 0.5, 0.0 if patch_level_validation else 0.2)
    every = [
        IndexedFrame(f"{v.video_id}_{k}", v.video_id, split[v.video_id], k % 2, 500, 350)
        for v in videos
        for k in range(v.n_frames)
    ]
    whole = reduce_frames(every, 1.0, seed=0)
    planned = plan_crops(every, frames_scales.SCALES["paper"], 227, 0, patch_level_validation, whole)
    assert {name: len(patches) for name, patches in planned.items()} == counts


@pytest.mark.parametrize(("scale", "difficulty", "seed"), [("huge", 0.5, 0), ("smoke", 1.5, 0), ("smoke", 0.5, -1)])
def test_what_cannot_be_is_a_usage_error(scale: str, difficulty: float, seed: int) -> None:
    with pytest.raises(UsageError):
        plan_videos(seed, scale, difficulty)


def test_every_frame_has_one_of_the_layouts_classes() -> None:
    drawn = draw_spoilt(np.random.default_rng(0), 300, 1.0)
    assert {frame_class(frame) for frame in drawn} == set("IBSU")
