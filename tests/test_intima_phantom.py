"""The carotid phantom: same seed, same bytes; the wall lies where the truth says; the speckle is speckle."""

from __future__ import annotations

import filecmp
from pathlib import Path

import numpy as np
import pytest

from data_prep.intima_phantom import SCALES, generate
from data_prep.intima_phantom.anatomy import Echoes
from data_prep.intima_phantom.experts import EXPERTS, trace
from data_prep.intima_phantom.image import make_picture
from data_prep.intima_phantom.speckle import detect
from data_prep.intima_phantom.subject import draw_subject, smooth
from data_prep.intima_phantom.write import RECORD, TRUTH, plan_subjects
from data_prep.intima_readers import find_reader, load_roi
from data_prep.intima_readers.profiles import read_profile
from layerwise.errors import DataError, UsageError
from layerwise.files import read_json


@pytest.fixture(scope="module")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("phantom") / "raw"
    generate(root, seed=3, scale="smoke", workers=1)
    return root


def test_the_same_seed_gives_the_same_bytes_with_any_number_of_workers(smoke: Path, tmp_path: Path) -> None:
    generate(tmp_path / "again", seed=3, scale="smoke", workers=2)
    names = sorted(path.relative_to(smoke).as_posix() for path in smoke.rglob("*") if path.is_file())
    again = sorted(
        path.relative_to(tmp_path / "again").as_posix() for path in (tmp_path / "again").rglob("*") if path.is_file()
    )
    assert names == again
    assert filecmp.cmpfiles(smoke, tmp_path / "again", names, shallow=False)[1:] == ([], [])


def test_the_paper_has_276_regions_of_23_subjects_and_144_train() -> None:
    scale = SCALES["paper"]
    per_subject = 2 * scale.n_videos * scale.n_frames
    n_train = (scale.n_subjects + 1) // 2
    assert (scale.n_subjects, scale.n_subjects * per_subject, n_train * per_subject) == (23, 276, 144)
    assert len(plan_subjects(0, "paper", 0.5)) == 23


def test_every_region_is_read_with_the_truth_near_the_experts(smoke: Path) -> None:
    refs = find_reader(smoke).index(smoke)
    assert len(refs) == 12
    assert len({ref.group_id for ref in refs}) == 6
    for ref in refs:
        roi = load_roi(ref)
        assert len(roi.li_px) == 92
        assert roi.bottom_px - roi.top_px >= 60
        x, y = read_profile(smoke / "SEGMENTATIONS" / TRUTH / f"{ref.roi_id}-MA.txt")
        assert np.array_equal(x, roi.columns_px)
        assert np.abs(y - roi.ma_px).mean() * roi.pixel_um < 60
        assert roi.observers_um is not None
        assert 3 < roi.observers_um[0] < 100


def test_subjects_differ_in_pixel_size_and_thickness(smoke: Path) -> None:
    subjects = read_json(smoke / RECORD)["subjects"]
    assert len({subject["pixel_um"] for subject in subjects}) == 6
    assert np.std([subject["intima_media_um"] for subject in subjects]) > 50


def test_pictures_grow_brighter_at_both_boundaries() -> None:
    """Averaged over columns and pictures, the step from dark to bright lies at the true boundary, within two pixels."""
    around = np.zeros((2, 13))
    for number in range(8):
        subject_seed, shot = np.random.SeedSequence(number).spawn(2)
        picture = make_picture(shot, draw_subject(np.random.default_rng(subject_seed), "clin_0001", 0.2), "", 0.2)
        for line, profile in enumerate(picture.truth):
            rows = np.rint(profile.y_px).astype(int)[:, None] + np.arange(-6, 7)
            around[line] += picture.image[rows, np.asarray(profile.x_px, int)[:, None]].mean(axis=0)
    step = np.diff(around, axis=1)
    assert np.all(np.abs(step.argmax(axis=1) + 0.5 - 6) <= 2)


def test_without_order_the_envelope_is_rayleigh_distributed() -> None:
    """Mean over standard deviation of a Rayleigh variable is sqrt(pi / (4 - pi)) = 1.913."""
    rng = np.random.default_rng(0)
    scanner = draw_subject(rng, "clin_0001", 0.5).scanner
    level = np.zeros((1000, 400), np.float32)
    envelope = 10 ** (detect(rng, scanner, Echoes(level, np.zeros_like(level))) / 20)
    band = envelope[480:520]  # gain and focus change along the depth
    assert band.mean() / band.std() == pytest.approx(np.sqrt(np.pi / (4 - np.pi)), rel=0.08)


def test_more_difficulty_lowers_the_contrast_of_the_media() -> None:
    easy, hard = (draw_subject(np.random.default_rng(1), "clin_0001", difficulty) for difficulty in (0.0, 1.0))
    assert hard.media_db - hard.intima_db > easy.media_db - easy.intima_db + 10


def test_smooth_curves_have_unit_variance_whatever_their_length() -> None:
    rng = np.random.default_rng(0)
    for length in (3.0, 30.0):
        assert smooth(rng, 200_000, length).std() == pytest.approx(1, rel=0.1)


def test_experts_tremble_about_the_truth_and_keep_the_order() -> None:
    rng = np.random.default_rng(0)
    li = np.full(4000, 10.0)
    found_li, found_ma = trace(rng, EXPERTS[0], li, li + 0.6, 0.06)
    assert np.all(found_ma > found_li)
    assert 0.008 < np.std(found_li) < 0.03
    assert abs(np.mean(found_li) - 10) < 0.05


def test_a_phantom_is_not_made_over_something_else(smoke: Path, tmp_path: Path) -> None:
    assert generate(smoke, seed=3, scale="smoke")["seed"] == 3  # there already
    with pytest.raises(DataError, match="holds another phantom: seed is 3, asked for 4"):
        generate(smoke, seed=4, scale="smoke")
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(DataError, match="is not empty"):
        generate(tmp_path, scale="smoke")
    assert [path.name for path in tmp_path.iterdir()] == ["note.txt"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [((0, "huge", 0.5), "no such scale"), ((0, "smoke", 1.5), "0 .easy. to 1"), ((-1, "smoke", 0.5), "from 0 on")],
)
def test_what_cannot_be_is_refused(arguments: tuple[int, str, float], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        plan_subjects(*arguments)
