"""candidates.csv and lesions.csv of any detector, as the arrays that FROC curves, intervals and tests count."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eval.columns import ColumnTable, read_columns
from eval.froc import Matches
from eval.hits import GEOMETRY, HitCriterion
from layerwise.errors import DataError


@dataclass(frozen=True)
class System:
    """The candidates of one detector. image, group: (M,) int64, the image and group of each."""

    matches: Matches
    image: np.ndarray
    group: np.ndarray


@dataclass(frozen=True)
class FrocStudy:
    """image_group: (n_images,) int64, the group 0 .. G - 1 of each image. lesion_image: (L,) int64. L and n_images > 0.

    systems: one detector, or two on the same images and lesions.
    """

    systems: tuple[System, ...]
    image_group: np.ndarray
    lesion_image: np.ndarray

    @property
    def n_images(self) -> int:
        return len(self.image_group)

    @property
    def n_lesions(self) -> int:
        return len(self.lesion_image)

    @property
    def images_per_group(self) -> np.ndarray:
        return np.bincount(self.image_group)

    @property
    def lesions_per_group(self) -> np.ndarray:
        return np.bincount(self.image_group[self.lesion_image], minlength=len(self.images_per_group))


def read_study(candidates: Path, lesions: Path, images: int | Path, criterion: HitCriterion | None = None) -> FrocStudy:
    """images: how many there are, or a table of them with image_id and group_id.

    Without `criterion` the column lesion_id of the candidates says what each hits, empty where nothing; with one it is
    found from the places of both. With a column score_b there are two systems; an empty score then says that this
    system does not have the candidate.
    Where only the number of images is given, those that neither table names are spread over the groups in proportion
    to the images that are named.
    Raises DataError with file, row and column for everything that cannot be meant.
    """
    hit_columns = ("lesion_id",) if criterion is None else ()
    found = read_columns(
        candidates, ("candidate_id", "image_id", "group_id", "score", *hit_columns), ("score_b", *GEOMETRY)
    )
    truth = read_columns(lesions, ("lesion_id", "image_id", "group_id"), GEOMETRY)
    lesion_place = truth.places("lesion_id")
    if not lesion_place:
        raise DataError(f"{lesions} has no row: without a lesion there is no sensitivity")
    found.places("candidate_id")

    known = _Images()
    listed = isinstance(images, Path)
    if listed:
        known.add(read_columns(images, ("image_id", "group_id")))
        if not known.place:
            raise DataError(f"{images} has no row: without an image there is no rate of false positives")
    lesion_image = known.add(truth, may_be_new=not listed)
    candidate_image = known.add(found, may_be_new=not listed)
    image_group = known.image_group()
    if not isinstance(images, Path):
        image_group = np.concatenate([image_group, _spread(image_group, images)])

    if criterion is None:
        lesion = _named_lesions(found, lesion_place, candidate_image, lesion_image)
    else:
        lesion = criterion.hits(found, candidate_image, truth, lesion_image)
    systems = tuple(
        System(Matches(score[has], lesion[has]), candidate_image[has], image_group[candidate_image[has]])
        for score, has in _scores(found)
    )
    return FrocStudy(systems, image_group, lesion_image)


class _Images:
    """Images by id, with their group, in the order in which the tables name them."""

    def __init__(self) -> None:
        self.place: dict[str, int] = {}
        self.group: list[int] = []
        self.groups: dict[str, int] = {}

    def add(self, table: ColumnTable, may_be_new: bool = True) -> np.ndarray:
        """(N,) int64: the place of each row's image."""
        places = np.empty(len(table), dtype=np.int64)
        for row, (image, group) in enumerate(zip(table.ids("image_id"), table.ids("group_id"), strict=True)):
            place = self.place.get(image)
            if place is None:
                if not may_be_new:
                    table.fail(row, "image_id", f"{image!r} is not in the table of images")
                place = self.place[image] = len(self.group)
                self.group.append(self.groups.setdefault(group, len(self.groups)))
            elif self.groups.get(group) != self.group[place]:
                before = list(self.groups)[self.group[place]]
                table.fail(row, "group_id", f"image {image!r} is in group {group!r} here, and was in {before!r}")
            places[row] = place
        return places

    def image_group(self) -> np.ndarray:
        """(n_images,) int64. Groups are numbered by name: the order of rows then changes no draw of groups."""
        rank = {name: number for number, name in enumerate(sorted(self.groups))}
        by_first_seen = np.array([rank[name] for name in self.groups], dtype=np.int64)
        return by_first_seen[np.array(self.group, dtype=np.int64)]


def _spread(image_group: np.ndarray, n_images: int) -> np.ndarray:
    """The groups of the images that no table names, by largest remainder."""
    unnamed = n_images - len(image_group)
    if n_images < 1 or unnamed < 0:
        raise DataError(
            f"--images {n_images}: the tables name {len(image_group)} images; give the number of all images"
        )
    named = np.bincount(image_group)
    share = unnamed * named / named.sum()
    counts = np.floor(share).astype(np.int64)
    counts[np.argsort(counts - share, kind="stable")[: unnamed - counts.sum()]] += 1
    return np.repeat(np.arange(len(named)), counts)


def _named_lesions(
    found: ColumnTable, lesion_place: dict[str, int], candidate_image: np.ndarray, lesion_image: np.ndarray
) -> np.ndarray:
    lesion = np.full(len(found), -1, dtype=np.int64)
    for row, name in enumerate(found.columns["lesion_id"]):
        if not name:
            continue
        place = lesion_place.get(name)
        if place is None:
            found.fail(row, "lesion_id", f"{name!r} is not in the table of lesions")
        if lesion_image[place] != candidate_image[row]:
            found.fail(row, "lesion_id", f"lesion {name!r} is in another image than this candidate")
        lesion[row] = place
    return lesion


def _scores(found: ColumnTable) -> list[tuple[np.ndarray, np.ndarray]]:
    """Of each system: (N,) scores, and (N,) bool where it has the candidate."""
    if "score_b" not in found:
        return [(found.numbers("score"), np.ones(len(found), dtype=bool))]
    columns = ("score", "score_b")
    has = [np.array([text != "" for text in found.columns[column]], dtype=bool) for column in columns]
    neither = np.flatnonzero(~(has[0] | has[1]))
    if len(neither):
        found.fail(int(neither[0]), "score", "is empty, and so is score_b: no system has this candidate")
    return [(found.numbers(column, empty=0.0), there) for column, there in zip(columns, has, strict=True)]
