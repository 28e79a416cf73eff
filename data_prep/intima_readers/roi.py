"""One region of interest: where its files lie, and how it becomes pixels with two boundaries when someone looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from data_prep.intima_readers.profiles import read_pixel_mm, read_profile, read_rect
from layerwise.errors import DataError

IMAGE_SUFFIXES = (".tiff", ".tif", ".png", ".bmp", ".jpg", ".jpeg")
# chosen: fewer columns say little about a wall; CUBS' regions have 100 and more, the paper's 92.
MIN_COLUMNS = 16
# chosen: without a region's rectangle, its rows are those of the wall and this much above and below: about what the
# paper's 60 rows show at CUBS' 0.06 mm per pixel.
MARGIN_UM = 1200.0


@dataclass(frozen=True)
class ExpertFiles:
    """One expert's lines of one image."""

    name: str
    li_path: Path
    ma_path: Path


@dataclass(frozen=True)
class RoiRef:
    """Where one region and its truth lie; nothing is opened yet. rect_path need not exist.

    native_split: "train" or "test" where the data set's publisher fixed it, else "".
    """

    roi_id: str
    group_id: str
    image_path: Path
    pixel_path: Path
    rect_path: Path
    experts: tuple[ExpertFiles, ...]
    native_split: str = ""

    @property
    def files(self) -> list[Path]:
        lines = [path for expert in self.experts for path in (expert.li_path, expert.ma_path)]
        return [self.image_path, self.pixel_path, self.rect_path, *lines]


@dataclass(frozen=True)
class Roi:
    """A region of interest with the experts' consensus, in pixels of the whole image; pixel centres are whole numbers.

    image: (H, W) uint8. first_column: of the (N,) rows li_px and ma_px, one per column. top_px, bottom_px: rows of the
    region, bottom exclusive. observers_um: mean distance of two experts' LI and of their MA, None with one expert.
    """

    roi_id: str
    group_id: str
    image: np.ndarray
    pixel_um: float
    first_column: int
    li_px: np.ndarray
    ma_px: np.ndarray
    top_px: int
    bottom_px: int
    experts: tuple[str, ...]
    observers_um: tuple[float, float] | None

    @property
    def columns_px(self) -> np.ndarray:
        """(N,) int64."""
        return np.arange(self.first_column, self.first_column + len(self.li_px))


def read_grey(path: Path) -> np.ndarray:
    """The image as (H, W) uint8; colour channels must be equal or are mixed to luma, an alpha channel is dropped.

    DataError if it cannot be decoded or has more than eight bits.
    """
    try:
        data = np.fromfile(path, np.uint8)
    except OSError as error:
        raise DataError(f"{path}: the image cannot be read ({error.strerror}). Restore it.") from None
    pixels = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if len(data) else None
    if pixels is None:
        raise DataError(f"{path}: the image of {len(data)} bytes cannot be decoded as {path.suffix}. Restore it.")
    if pixels.dtype != np.uint8:
        raise DataError(f"{path}: pixels are {pixels.dtype}, expected 8 bits. Export it as the 8-bit grey image.")
    if pixels.ndim == 3:
        pixels = cv2.cvtColor(np.ascontiguousarray(pixels[..., :3]), cv2.COLOR_BGR2GRAY)
    return pixels


def load_roi(ref: RoiRef) -> Roi:
    """Open one region: image, pixel size, and the mean of the experts' lines on the columns that all of them cover.

    Paper, section VI-D: the truth is the consensus of two experts; chosen: the mean row is the consensus.
    Raises DataError for whatever is missing, unreadable, outside the image, too short, or MA not below LI.
    """
    image = read_grey(ref.image_path)
    pixel_um = 1000 * read_pixel_mm(ref.pixel_path)
    rect = read_rect(ref.rect_path)
    height, width = image.shape
    lines = [(read_profile(expert.li_path), read_profile(expert.ma_path)) for expert in ref.experts]
    supports = [(x[0], x[-1]) for pair in lines for x, _ in pair]
    low, high = max(0.0, *(first for first, _ in supports)), min(width - 1.0, *(last for _, last in supports))
    if rect is not None:
        low, high = max(low, rect[0]), min(high, rect[0] + rect[2] - 1)
    columns = np.arange(int(np.ceil(low)), int(np.floor(high)) + 1)
    if len(columns) < MIN_COLUMNS:
        raise DataError(
            f"{ref.roi_id}: {len(columns)} columns of the {width}-pixel wide image have both lines of every expert"
            f"{' and lie in ' + str(ref.rect_path) if rect else ''}; expected {MIN_COLUMNS} or more. Look at "
            f"{ref.experts[0].li_path}."
        )
    rows = np.array([[np.interp(columns, x, y) for x, y in pair] for pair in lines])  # (experts, 2, N)
    li, ma = rows.mean(axis=0)
    if li.min() < 0 or ma.max() > height - 1:
        raise DataError(
            f"{ref.roi_id}: the lines reach rows {li.min():.0f} to {ma.max():.0f}, the image has {height}. "
            f"{ref.experts[0].li_path} is of another image, or x and y are exchanged."
        )
    if (ma <= li).any():
        raise DataError(
            f"{ref.roi_id}: MA is not below LI in {int((ma <= li).sum())} of {len(columns)} columns; rows count "
            f"downwards. {ref.experts[0].li_path} and {ref.experts[0].ma_path.name} may be exchanged, or the far and "
            "the near wall."
        )
    top, bottom = _rows(rect, li, ma, pixel_um)
    return Roi(
        ref.roi_id,
        ref.group_id,
        image,
        pixel_um,
        int(columns[0]),
        li,
        ma,
        max(top, 0),
        min(bottom, height),
        tuple(expert.name for expert in ref.experts),
        _observers_um(rows, pixel_um),
    )


def _rows(rect: tuple[int, int, int, int] | None, li: np.ndarray, ma: np.ndarray, pixel_um: float) -> tuple[int, int]:
    """First and last + 1 row: the rectangle's, widened where a line leaves it; without one the wall and MARGIN_UM."""
    first, last = int(np.floor(li.min())), int(np.ceil(ma.max()))
    if rect is None:
        margin = round(MARGIN_UM / pixel_um)
        return first - margin, last + margin + 1
    return min(rect[1], first), max(rect[1] + rect[3], last + 1)


def _observers_um(rows: np.ndarray, pixel_um: float) -> tuple[float, float] | None:
    if len(rows) != 2:
        return None
    li, ma = np.abs(rows[0] - rows[1]).mean(axis=1) * pixel_um
    return float(li), float(ma)


def check_unique(refs: Sequence[RoiRef]) -> None:
    """DataError if two regions have one id."""
    seen: dict[str, Path] = {}
    for ref in refs:
        if (other := seen.setdefault(ref.roi_id, ref.image_path)) is not ref.image_path:
            raise DataError(f"{ref.image_path} and {other} are both region {ref.roi_id}. Keep one of them.")
