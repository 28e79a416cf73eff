"""Claims about the phantom: what a seed fixes, what the frames look like, and what is on disk."""

from __future__ import annotations

import itertools
import subprocess
import sys
import tracemalloc
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from data_prep.polyp_phantom import generate, plan_videos
from data_prep.polyp_phantom.fields import f32, sample
from data_prep.polyp_phantom.patient import draw_patient
from data_prep.polyp_phantom.video import FRAME_SHAPE, MIN_VISIBLE_PX, render_video
from data_prep.polyp_phantom.write import DIFFICULTY, FRAMES_FOLDER, SCALES, write_video
from layerwise.errors import DataError, UsageError
from layerwise.files import read_json

PIXELS_OF_A_VIDEO = slice(None, None, 3)


@pytest.fixture(scope="module")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("phantom") / "raw"
    generate(root, seed=3, scale="smoke", workers=2)
    return root


def read_videos(root: Path) -> dict[str, list[tuple[np.ndarray, np.ndarray]]]:
    """Frames (RGB) and masks by video, in order, found by the public layout's names alone."""
    videos: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
    for folder in sorted((root / FRAMES_FOLDER).iterdir(), key=lambda f: int(f.name)):
        pairs = []
        for k in itertools.count(1):
            path = folder / f"{folder.name}_{k}.png"
            if not path.exists():
                break
            image = cv2.imread(str(path), cv2.IMREAD_COLOR)
            mask = cv2.imread(str(folder / f"{folder.name}_{k}_mask.png"), cv2.IMREAD_UNCHANGED)
            assert image is not None and mask is not None
            pairs.append((image[..., ::-1], mask))
        assert len(list(folder.iterdir())) == 2 * len(pairs)
        videos[folder.name] = pairs
    return videos


def test_every_frame_has_a_mask_of_its_size_with_0_and_255_only(phantom: Path) -> None:
    videos = read_videos(phantom)
    assert [len(pairs) for pairs in videos.values()] == [SCALES["smoke"].n_frames] * SCALES["smoke"].n_videos
    for image, mask in itertools.chain.from_iterable(videos.values()):
        assert image.shape == (*FRAME_SHAPE, 3)
        assert mask.shape == FRAME_SHAPE
        assert set(np.unique(mask)) <= {0, 255}


def test_both_halves_have_frames_with_and_without_a_polyp(phantom: Path) -> None:
    record = read_json(phantom / "phantom.json")
    for test in (False, True):
        videos = [v for v in record["videos"] if (v["id"] in record["test_videos"]) is test]
        positive = sum(v["frames_with_polyp"] for v in videos)
        assert 0 < positive < sum(v["frames"] for v in videos)
        assert any(v["polyps"] == 0 and v["frames_with_polyp"] == 0 for v in videos)


def test_the_record_counts_what_is_on_disk(phantom: Path) -> None:
    record = read_json(phantom / "phantom.json")
    assert {key: record[key] for key in ("kind", "seed", "scale", "difficulty")} == {
        "kind": "phantom",
        "seed": 3,
        "scale": "smoke",
        "difficulty": DIFFICULTY,
    }
    on_disk = {v: sum(bool(mask.any()) for _, mask in pairs) for v, pairs in read_videos(phantom).items()}
    assert {v["id"]: v["frames_with_polyp"] for v in record["videos"]} == on_disk


def test_no_marked_piece_is_smaller_than_the_limit(phantom: Path) -> None:
    pieces = []
    for _, mask in itertools.chain.from_iterable(read_videos(phantom).values()):
        pieces += cv2.connectedComponentsWithStats(mask, connectivity=8)[2][1:, cv2.CC_STAT_AREA].tolist()
    assert min(pieces) >= MIN_VISIBLE_PX
    assert max(pieces) > 10 * min(pieces)


def test_a_polyp_moves_and_changes_size_over_its_frames(phantom: Path) -> None:
    for pairs in read_videos(phantom).values():
        seen = [mask for _, mask in pairs if mask.any()]
        if len(seen) >= 3:
            areas = [int((mask > 0).sum()) for mask in seen]
            centres = np.array([np.argwhere(mask).mean(axis=0) for mask in seen])
            assert max(areas) > 1.3 * min(areas)
            assert np.linalg.norm(np.diff(centres, axis=0), axis=1).max() > 3
            return
    pytest.fail("no video shows a polyp in three frames")


def test_one_video_made_alone_has_the_same_bytes(phantom: Path, tmp_path: Path) -> None:
    plan = plan_videos(seed=3, scale="smoke", difficulty=DIFFICULTY)[2]
    write_video(plan, tmp_path)
    for path in sorted((tmp_path / "3").iterdir()):
        assert path.read_bytes() == (phantom / FRAMES_FOLDER / "3" / path.name).read_bytes(), path.name


def test_a_plan_can_be_rendered_twice_and_another_seed_gives_other_frames() -> None:
    plan = replace(plan_videos(seed=3, scale="smoke", difficulty=0.5)[0], n_frames=2)
    other = replace(plan, seed=plan_videos(seed=4, scale="smoke", difficulty=0.5)[0].seed)
    first, again, changed = (next(render_video(p))[0] for p in (plan, plan, other))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first.astype(int) - changed).mean() > 10


def test_mucosa_is_pink_to_orange(phantom: Path) -> None:
    for pairs in read_videos(phantom).values():
        image = pairs[0][0].astype(float)
        lit = image[image.max(axis=2) > 60]
        red, green, blue = lit.mean(axis=0)
        assert red > 1.15 * green > 1.15 * 0.95 * blue
        assert 90 < red < 250


def test_videos_differ_more_than_the_frames_of_one(phantom: Path) -> None:
    colours = []
    for pairs in read_videos(phantom).values():
        frames = [image[image.max(axis=2) > 60].astype(float) for image, _ in pairs[PIXELS_OF_A_VIDEO]]
        colours.append([frame.mean(axis=0) / frame.mean() for frame in frames])
    hues = np.array(colours)
    between = hues.mean(axis=1).std(axis=0).mean()
    within = hues.std(axis=1).mean()
    assert between > 1.5 * within


def test_the_lumen_is_darker_than_the_wall(phantom: Path) -> None:
    for pairs in read_videos(phantom).values():
        luma = pairs[0][0].mean(axis=2)
        picture = luma[luma > 2]  # without the black border
        assert np.percentile(picture, 3) < 0.4 * np.percentile(picture, 60)


def test_frames_are_streamed_and_memory_does_not_grow_with_them() -> None:
    long = replace(plan_videos(seed=0, scale="smoke", difficulty=0.5)[0], n_frames=5000, frames_per_s=250.0)
    frames = render_video(long)
    for _ in range(2):
        next(frames)
    tracemalloc.start()
    try:
        next(frames)
        early = tracemalloc.get_traced_memory()[0]
        for _ in range(4):
            next(frames)
        late = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert late - early < 200_000  # one frame is 330,000 bytes


def test_harder_polyps_are_smaller_and_nearer_to_the_mucosa() -> None:
    def polyps(difficulty: float) -> tuple[float, float]:
        patient = draw_patient(np.random.SeedSequence(1), 12.0, tuple(np.linspace(0, 1, 30)), difficulty)
        grown = [solid for solid in patient.scene.solids if solid.kind == "polyp"]
        assert len(grown) == 30
        contrast = np.mean([np.abs(solid.tint / patient.scene.skin.tone - 1).mean() for solid in grown])
        return float(np.mean([solid.blobs[0, 3] for solid in grown])), float(contrast)

    (easy_size, easy_contrast), (hard_size, hard_contrast) = polyps(0.0), polyps(1.0)
    assert hard_size < 0.9 * easy_size
    assert hard_contrast < 0.6 * easy_contrast


def test_maps_are_looked_up_bilinearly_and_repeat() -> None:
    table = np.arange(12, dtype=np.float32).reshape(3, 4)
    column, row = f32([1.0, 1.5, 3.5, 1.0 + 4]), f32([2.0, 1.0, 0.0, 2.0 + 3])
    # By hand: a texel, half way between 5 and 6, half way between 3 and the first again, the first point a period on.
    np.testing.assert_allclose(sample(table, column, row), [9.0, 5.5, 1.5, 9.0])


def test_a_second_run_with_the_same_arguments_does_nothing(phantom: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in phantom.rglob("*")}
    generate(phantom, seed=3, scale="smoke", workers=1)
    assert {path: path.stat().st_mtime_ns for path in phantom.rglob("*")} == before


def test_another_phantom_is_not_written_over(phantom: Path) -> None:
    with pytest.raises(DataError, match="another phantom: seed is 3, asked for 4"):
        generate(phantom, seed=4, scale="smoke")


def test_a_folder_with_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(DataError, match=r"no phantom\.json"):
        generate(tmp_path, scale="smoke")
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        generate(tmp_path / "file" / "raw", scale="smoke")


def test_an_interrupted_run_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(DataError, match="No space left on device"):
        generate(tmp_path / "raw", scale="smoke", workers=1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [({"scale": "huge"}, "known are smoke"), ({"difficulty": 1.5}, "from 0"), ({"seed": -1}, "from 0 on")],
)
def test_unknown_arguments_are_refused_by_name(arguments: dict, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        plan_videos(**{"seed": 0, "scale": "smoke", "difficulty": 0.5, **arguments})


def test_the_command_says_what_is_wrong_and_exits_with_1(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    command = [sys.executable, "-m", "data_prep.polyp_phantom", "--out", str(tmp_path), "--scale", "smoke"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[1])
    assert done.returncode == 1
    assert done.stderr.startswith("error: ") and "Traceback" not in done.stderr
