"""From patch scores to candidate scores, and from ids to the arrays that the FROC curve counts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eval.froc import Matches
from eval.tables import Row, index_by, number, read_table
from layerwise.applications import Application
from layerwise.errors import DataError

SCORE_COLUMNS = ("key", "group_id", "label", "score", "candidate_id")


@dataclass(frozen=True)
class ImageUnit:
    """What an application calls one image (frame, volume), and the columns that say where something lies in it."""

    name: str
    place_columns: tuple[str, ...]
    own_columns: tuple[str, ...] = ()

    @property
    def id_column(self) -> str:
        return f"{self.name}_id"

    @property
    def image_columns(self) -> tuple[str, ...]:
        return self.id_column, "group_id", "split", *self.own_columns

    @property
    def lesion_columns(self) -> tuple[str, ...]:
        return "lesion_id", self.id_column, "group_id", "split", *self.place_columns

    @property
    def candidate_columns(self) -> tuple[str, ...]:
        first = ("candidate_id", self.id_column, "group_id", "split")
        return *first, *self.place_columns, "detector_score", "label", "lesion_id"


FRAME = ImageUnit("frame", ("x0_px", "y0_px", "x1_px", "y1_px"), ("path", "width_px", "height_px"))
VOLUME = ImageUnit("volume", ("z_voxel", "y_voxel", "x_voxel"))
_UNITS = {"fps_per_frame": FRAME, "fps_per_volume": VOLUME}


def image_unit(application: Application) -> ImageUnit:
    """Of an application whose curve is a FROC curve."""
    return _UNITS[application.fp_unit]


@dataclass(frozen=True)
class Tables:
    """The rows of candidates/{frames or volumes,lesions,candidates}.csv, of one split or of all, in file order."""

    images: list[Row]
    lesions: list[Row]
    candidates: list[Row]

    def of_split(self, split: str) -> Tables:
        return Tables(*([row for row in rows if row["split"] == split] for rows in vars(self).values()))


def read_tables(dataset_dir: Path, unit: ImageUnit) -> Tables:
    """DataError where a file or column is missing."""
    folder, made_by = dataset_dir / "candidates", "the data preparation (python -m data_prep.<application>)"
    return Tables(
        read_table(folder / f"{unit.name}s.csv", unit.image_columns, made_by),
        read_table(folder / "lesions.csv", unit.lesion_columns, made_by),
        read_table(folder / "candidates.csv", unit.candidate_columns, made_by),
    )


@dataclass(frozen=True)
class DetectionTruth:
    """The test split before any net: rows by id, in file order. A lesion without a candidate is in `lesions` only."""

    unit: ImageUnit
    images: dict[str, Row]
    lesions: dict[str, Row]
    candidates: dict[str, Row]

    @property
    def groups(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(row["group_id"] for row in self.images.values()))

    def per_group(self, rows: dict[str, Row]) -> np.ndarray:
        """(G,) int64: how many of `rows` each group has, in the order of `groups`."""
        return np.bincount(self.group_index(rows), minlength=len(self.groups))

    def group_index(self, rows: dict[str, Row]) -> np.ndarray:
        """(len(rows),) int64: each row's group as its place in `groups`."""
        place = {group: index for index, group in enumerate(self.groups)}
        return np.array([place[row["group_id"]] for row in rows.values()], dtype=np.int64)

    def matches(self, score: np.ndarray) -> Matches:
        """What each candidate hits, beside its `score` (M,), in the order of `candidates`."""
        place = {lesion: index for index, lesion in enumerate(self.lesions)}
        lesion = [place[row["lesion_id"]] if row["lesion_id"] else -1 for row in self.candidates.values()]
        return Matches(np.asarray(score, dtype=np.float64), np.array(lesion, dtype=np.int64))

    @property
    def labels(self) -> np.ndarray:
        """(M,) int64: 1 where the candidate hits a lesion."""
        return np.array([int(row["label"]) for row in self.candidates.values()], dtype=np.int64)

    @property
    def detector_score(self) -> np.ndarray:
        """(M,) float64: what the detector itself thought of its candidates; its scale is the detector's own."""
        return np.array([float(row["detector_score"]) for row in self.candidates.values()])


@dataclass(frozen=True)
class PatchScores:
    """scores.csv: M patches in file order. label (M,) int64, score (M,) float64 in [0, 1], candidate_id (M,) text."""

    label: np.ndarray
    score: np.ndarray
    candidate_id: tuple[str, ...]


def read_test_truth(dataset_dir: Path, unit: ImageUnit) -> DetectionTruth:
    """The rows with split == test of candidates/{frames or volumes,lesions,candidates}.csv.

    Raises DataError where a file or column is missing, an id comes twice or names nothing, a label contradicts its
    lesion_id, or the test split has no image or no lesion.
    """
    folder = dataset_dir / "candidates"
    tables = read_tables(dataset_dir, unit).of_split("test")
    images_csv = folder / f"{unit.name}s.csv"
    truth = DetectionTruth(
        unit,
        index_by(images_csv, tables.images, unit.id_column),
        index_by(folder / "lesions.csv", tables.lesions, "lesion_id"),
        index_by(folder / "candidates.csv", tables.candidates, "candidate_id"),
    )
    if not truth.images or not truth.lesions:
        raise DataError(
            f"{folder}: the test split has {len(truth.images)} {unit.name}s and {len(truth.lesions)} lesions; "
            "without both there is no FROC curve. Take more groups into the test split."
        )
    for name, rows in (("lesion", truth.lesions), ("candidate", truth.candidates)):
        for key, row in rows.items():
            image = truth.images.get(row[unit.id_column])
            if image is None or image["group_id"] != row["group_id"]:
                raise DataError(
                    f"{folder / f'{name}s.csv'}: {name} {key!r} is in {unit.name} {row[unit.id_column]!r} of group "
                    f"{row['group_id']!r}, which {images_csv.name} does not have in the test split"
                )
    for key, row in truth.candidates.items():
        _check_hit(folder / "candidates.csv", key, row, truth.lesions)
    return truth


def _check_hit(path: Path, key: str, row: Row, lesions: dict[str, Row]) -> None:
    number(f"{path}: candidate {key!r}", row, "detector_score")
    if row["label"] not in ("0", "1") or (row["label"] == "1") != bool(row["lesion_id"]):
        raise DataError(
            f"{path}: candidate {key!r} has label {row['label']!r} and lesion_id {row['lesion_id']!r}; "
            "expected 1 with a lesion_id or 0 without one"
        )
    if row["lesion_id"] and row["lesion_id"] not in lesions:
        raise DataError(f"{path}: candidate {key!r} hits {row['lesion_id']!r}, which lesions.csv does not have")


def read_patch_scores(path: Path) -> PatchScores:
    """scores.csv of a run. DataError for a score outside [0, 1], a label other than 0 and 1, or a key twice."""
    rows = read_table(path, SCORE_COLUMNS, "the scoring of the test split (tools.predict or tools.handcrafted)")
    if not rows:
        raise DataError(f"{path} has no row: no test patch was scored. Predict on the test split again.")
    index_by(path, rows, "key")
    label = [number(f"{path}, line {line}", row, "label", 0, 1) for line, row in enumerate(rows, start=2)]
    score = [number(f"{path}, line {line}", row, "score", 0, 1) for line, row in enumerate(rows, start=2)]
    return PatchScores(np.array(label, dtype=np.int64), np.array(score), tuple(row["candidate_id"] for row in rows))


def mean_scores(patches: PatchScores, truth: DetectionTruth) -> np.ndarray:
    """(M,) float64: the mean score over all patches of each candidate, in the order of `truth.candidates`.

    Raises DataError if a patch belongs to no test candidate, has another label than its candidate, or a test
    candidate has no patch: a curve over some of the candidates only would be bounded by less than its detector.
    Source: Tajbakhsh et al. 2016, section VI-A (mean probability over a candidate's patches).
    """
    place = {candidate: index for index, candidate in enumerate(truth.candidates)}
    unknown = [candidate for candidate in patches.candidate_id if candidate not in place]
    if unknown:
        raise DataError(
            f"scores.csv: candidate {unknown[0]!r} is not in the test split of candidates.csv ({len(unknown)} such "
            "patches). The scores belong to another data set: predict again with this one."
        )
    index = np.array([place[candidate] for candidate in patches.candidate_id], dtype=np.int64)
    count = np.bincount(index, minlength=len(place))
    if np.any(count == 0):
        missing = list(truth.candidates)[int(np.argmin(count))]
        raise DataError(
            f"scores.csv: {np.count_nonzero(count == 0)} of {len(place)} test candidates have no patch, the first is "
            f"{missing!r}. Build the test patches of all candidates and predict again."
        )
    wrong = np.flatnonzero(patches.label != truth.labels[index])
    if len(wrong):
        raise DataError(
            f"scores.csv, line {wrong[0] + 2}: label {patches.label[wrong[0]]} of a patch of candidate "
            f"{patches.candidate_id[wrong[0]]!r}, which candidates.csv labels {truth.labels[index[wrong[0]]]}"
        )
    return np.bincount(index, weights=patches.score, minlength=len(place)) / count
