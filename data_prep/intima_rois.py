"""First stage: raw images -> regions, their split and the experts' boundaries, in <dataset>/rois/."""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from data_prep.intima_readers import Roi, RoiRef, load_roi
from data_prep.parallel import ordered_map
from data_prep.splits import SPLITS, Group, split_by_group
from data_prep.whole_folder import disk_full_is_data_error, whole_folder
from layerwise.errors import DataError
from layerwise.files import read_csv, read_json, write_csv, write_json

ROI_COLUMNS = (
    *("roi_id", "group_id", "split", "path", "pixel_um", "first_column_px", "columns", "top_px", "bottom_px"),
    *("experts", "observers_li_um", "observers_ma_um"),
)
LINE_COLUMNS = ("roi_id", "column_px", "li_px", "ma_px")
SKIPPED_COLUMNS = ("roi_id", "reason")
# chosen: a few damaged files among thousands must not stop a study; more of them are a sign of another layout.
MOST_SKIPPED = 0.1


@dataclass(frozen=True)
class ExaminedRoi:
    """What the first stage keeps of a region once its pixels are gone.

    roi: without its pixels (an empty image). content_sha256: of the bytes of all its files.
    """

    ref: RoiRef
    roi: Roi
    content_sha256: str


@dataclass(frozen=True)
class PlannedRoi:
    """A region as the second stage needs it: rois.csv and boundaries.csv read back."""

    roi_id: str
    group_id: str
    split: str
    path: Path
    pixel_um: float
    top_px: int
    bottom_px: int
    columns_px: np.ndarray
    li_px: np.ndarray
    ma_px: np.ndarray


def examine(ref: RoiRef) -> ExaminedRoi | DataError:
    """Open one region; what is wrong with it is returned, not raised."""
    try:
        roi = load_roi(ref)
    except DataError as error:
        return error
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in ref.files if path.is_file())).hexdigest()
    without_pixels = Roi(**{**vars(roi), "image": np.empty((0, 0), np.uint8)})
    return ExaminedRoi(ref, without_pixels, digest)


def build_rois(
    refs: Sequence[RoiRef],
    folder: Path,
    *,
    seed: int,
    test_fraction: float,
    val_fraction: float,
    facts: Mapping[str, Any],
    workers: int,
) -> dict[str, Any]:
    """Open all regions, split the subjects, write `folder`'s files; returns the content of rois.json.

    Regions that cannot be used are listed in skipped.csv with the reason. DataError if more than MOST_SKIPPED are.
    facts: what rois.json records besides. Image paths are relative to the data set's folder where they lie below it.
    """
    results = list(ordered_map(examine, refs, workers, "regions"))
    rois = [result for result in results if isinstance(result, ExaminedRoi)]
    skipped = [
        (ref.roi_id, str(result)) for ref, result in zip(refs, results, strict=True) if isinstance(result, DataError)
    ]
    if len(skipped) > MOST_SKIPPED * len(refs):
        raise DataError(
            f"{len(skipped)} of {len(refs)} regions cannot be used, more than {MOST_SKIPPED:.0%}. "
            f"The first: {skipped[0][1]}"
        )
    counts = Counter(roi.ref.group_id for roi in rois)
    native = {roi.ref.group_id: roi.ref.native_split for roi in rois}
    # Every region shows both boundaries, so every subject has what is looked for.
    groups = [Group(group, n, n, native[group]) for group, n in counts.items()]
    split_of = split_by_group(groups, seed, test_fraction, val_fraction)
    record = {
        **facts,
        "content_sha256": hashlib.sha256("".join(roi.content_sha256 for roi in rois).encode()).hexdigest(),
        "skipped": len(skipped),
        "splits": {
            split: _performance([roi for roi in rois if split_of[roi.ref.group_id] == split]) for split in SPLITS
        },
    }
    with whole_folder(folder) as partial, disk_full_is_data_error(folder):
        write_csv(partial / "rois.csv", ROI_COLUMNS, (_roi_row(roi, split_of, folder.parent) for roi in rois))
        lines = (line_rows(r.roi.roi_id, r.roi.columns_px, r.roi.li_px, r.roi.ma_px) for r in rois)
        write_csv(partial / "boundaries.csv", LINE_COLUMNS, itertools.chain.from_iterable(lines))
        write_csv(
            partial / "skipped.csv", SKIPPED_COLUMNS, ({"roi_id": roi_id, "reason": why} for roi_id, why in skipped)
        )
        write_json(partial / "rois.json", record)
    return read_json(folder / "rois.json")


def read_rois(folder: Path) -> list[PlannedRoi]:
    """Every row of rois.csv with its lines, in the file's order; paths made whole."""
    lines: dict[str, list[tuple[int, float, float]]] = {}
    for row in read_csv(folder / "boundaries.csv"):
        lines.setdefault(row["roi_id"], []).append((int(row["column_px"]), float(row["li_px"]), float(row["ma_px"])))
    rois = []
    for row in read_csv(folder / "rois.csv"):
        columns, li, ma = zip(*lines[row["roi_id"]], strict=True)
        rois.append(
            PlannedRoi(
                row["roi_id"],
                row["group_id"],
                row["split"],
                folder.parent / row["path"],
                float(row["pixel_um"]),
                int(row["top_px"]),
                int(row["bottom_px"]),
                np.array(columns),
                np.array(li),
                np.array(ma),
            )
        )
    return rois


def _performance(rois: Sequence[ExaminedRoi]) -> dict[str, Any]:
    """Counts of one split, its mean thickness, and how far two experts are apart."""
    observers = [roi.roi.observers_um for roi in rois if roi.roi.observers_um is not None]
    thickness = [float((roi.roi.ma_px - roi.roi.li_px).mean() * roi.roi.pixel_um) for roi in rois]
    apart = np.mean(observers, axis=0).tolist() if observers else [None, None]
    return {
        "groups": len({roi.ref.group_id for roi in rois}),
        "regions": len(rois),
        "intima_media_um": float(np.mean(thickness)) if thickness else None,
        "observers_li_um": apart[0],
        "observers_ma_um": apart[1],
    }


def _roi_row(examined: ExaminedRoi, split_of: Mapping[str, str], dataset: Path) -> dict[str, Any]:
    roi, path = examined.roi, examined.ref.image_path
    observers = roi.observers_um or ("", "")
    return {
        "roi_id": roi.roi_id,
        "group_id": roi.group_id,
        "split": split_of[roi.group_id],
        "path": (path.relative_to(dataset) if path.is_relative_to(dataset) else path.resolve()).as_posix(),
        "pixel_um": round(roi.pixel_um, 6),
        "first_column_px": roi.first_column,
        "columns": len(roi.li_px),
        "top_px": roi.top_px,
        "bottom_px": roi.bottom_px,
        "experts": "+".join(roi.experts),
        "observers_li_um": observers[0],
        "observers_ma_um": observers[1],
    }


def line_rows(roi_id: str, columns_px: np.ndarray, li_px: np.ndarray, ma_px: np.ndarray) -> Iterator[dict[str, Any]]:
    """Both boundaries of one region as rows of LINE_COLUMNS. columns_px, li_px, ma_px: (N,)."""
    for column, li, ma in zip(columns_px.tolist(), li_px.tolist(), ma_px.tolist(), strict=True):
        yield {"roi_id": roi_id, "column_px": column, "li_px": round(li, 4), "ma_px": round(ma, 4)}
