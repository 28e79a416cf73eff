"""One row of a data set's index, and how it becomes a Frame when someone looks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from layerwise.errors import DataError
from layerwise.records import Frame, Lesion

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")

# chosen: halfway. Public masks are 0 and 255; those kept as JPEG have every value in between along the outline.
MASK_THRESHOLD = 128

# chosen: connected parts below this fraction of the frame (22 px at 384x288) are slips of the annotator's pen,
# smaller than any polyp that was ever measured.
MIN_LESION_FRACTION = 2e-4


@dataclass(frozen=True)
class FrameRef:
    """Where one frame and its truth lie; nothing is decoded yet.

    Exactly one of mask_path (an image, polyp white) and boxes_path (LDPolypVideo's text) is set.
    native_split: "train" or "test" where the data set's own publisher fixed it, else "".
    """

    frame_id: str
    group_id: str
    image_path: Path
    mask_path: Path | None = None
    boxes_path: Path | None = None
    native_split: str = ""


def read_image_rgb(path: Path) -> np.ndarray:
    """The image as (H, W, 3) uint8 RGB; grey images get three equal channels. DataError if it cannot be decoded."""
    # An orientation noted in the file is ignored: masks and boxes were drawn on the pixels as they are stored.
    return cv2.cvtColor(_decode(path, "image", cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION), cv2.COLOR_BGR2RGB)


def load_frame(ref: FrameRef) -> Frame:
    """Decode one frame and its truth.

    Every connected part (8 neighbours) of a mask is a Lesion, except specks; every box of a box file is one, and the
    Frame's mask is then those boxes filled, the largest first, so that a small box inside a large one stays visible.
    Raises DataError for a missing, unreadable or wrong-size mask and for a box file that cannot be understood.
    """
    image_rgb = read_image_rgb(ref.image_path)
    if ref.boxes_path is not None:
        mask = _mask_from_boxes(ref.boxes_path, image_rgb.shape[:2])
    else:
        assert ref.mask_path is not None
        mask = _mask_from_image(ref.mask_path, image_rgb.shape[:2])
    return Frame(ref.frame_id, ref.group_id, image_rgb, mask, _lesions(ref, mask))


def _lesions(ref: FrameRef, mask: np.ndarray) -> tuple[Lesion, ...]:
    lesions = []
    for number in range(1, int(mask.max()) + 1):
        rows, columns = np.nonzero(mask == number)
        box = (float(columns.min()), float(rows.min()), float(columns.max() + 1), float(rows.max() + 1))
        lesions.append(Lesion(f"{ref.frame_id}-l{number}", ref.frame_id, ref.group_id, box, len(rows)))
    return tuple(lesions)


def _mask_from_image(path: Path, shape: tuple[int, int]) -> np.ndarray:
    grey = _decode(path, "mask", cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION)
    if grey.shape != shape:
        raise DataError(
            f"{path}: the mask is {grey.shape[1]}x{grey.shape[0]} pixels, its image {shape[1]}x{shape[0]}. "
            "Replace it by the mask of this frame at the frame's own size; a rescaled one would move the outline."
        )
    is_jpeg = path.suffix.lower() in (".jpg", ".jpeg")
    if not is_jpeg and 0 < grey.max() < MASK_THRESHOLD:
        raise DataError(
            f"{path}: the mask's values reach {grey.max()} only, expected 0 (background) and 255 (polyp). "
            "If it counts labels, write every label but 0 as 255."
        )
    _, parts, stats, _ = cv2.connectedComponentsWithStats((grey >= MASK_THRESHOLD).astype(np.uint8), connectivity=8)
    kept = stats[:, cv2.CC_STAT_AREA] >= MIN_LESION_FRACTION * grey.size
    kept[0] = False
    numbers = np.where(kept, np.cumsum(kept), 0).astype(np.int32)
    return numbers[np.asarray(parts, np.intp)]


def _mask_from_boxes(path: Path, shape: tuple[int, int]) -> np.ndarray:
    boxes = read_boxes(path, shape)
    boxes.sort(key=lambda box: (-(box[2] - box[0]) * (box[3] - box[1]), box))
    mask = np.zeros(shape, np.int32)
    for number, (x0, y0, x1, y1) in enumerate(boxes, start=1):
        mask[y0:y1, x0:x1] = number
    visible, inverse = np.unique(mask, return_inverse=True)  # a box drawn twice is one lesion
    numbers = np.arange(len(visible), dtype=np.int32) + (visible[0] != 0)
    return numbers[inverse].reshape(shape)


def read_boxes(path: Path, shape: tuple[int, int]) -> list[tuple[int, int, int, int]]:
    """LDPolypVideo's text: the number of boxes on line 1, then `xmin ymin xmax ymax` per line, in pixels.

    shape: (H, W) of the frame; boxes are clipped to it. DataError if the count and the lines disagree, a line is not
    four numbers, or a box has no pixel in the frame.
    """
    lines = [line.replace(",", " ").split() for line in _text(path).splitlines() if line.strip()]
    try:
        count = int(lines[0][0]) if lines and len(lines[0]) == 1 else -1
        boxes = [(int(float(x0)), int(float(y0)), int(float(x1)), int(float(y1))) for x0, y0, x1, y1 in lines[1:]]
    except ValueError as error:
        raise DataError(f"{path}: a line is not `xmin ymin xmax ymax` ({error}). Correct that line.") from None
    if count != len(boxes):
        said = " ".join(lines[0]) if lines else "nothing"
        raise DataError(f"{path}: line 1 says {said}, but {len(boxes)} boxes follow. Correct the file.")
    height, width = shape
    clipped = [(max(x0, 0), max(y0, 0), min(x1, width), min(y1, height)) for x0, y0, x1, y1 in boxes]
    for box, (x0, y0, x1, y1) in zip(boxes, clipped, strict=True):
        if x1 <= x0 or y1 <= y0:
            raise DataError(
                f"{path}: box {box} has no pixel in the {width}x{height} frame; expected xmin ymin xmax ymax in pixels."
            )
    return clipped


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path}: the box file cannot be read ({error}). Every frame needs one; one line 0 says: no polyp."
        ) from None


def _decode(path: Path, kind: str, flags: int) -> np.ndarray:
    try:
        data = np.fromfile(path, np.uint8)
    except OSError as error:
        raise DataError(
            f"{path}: the {kind} cannot be read ({error.strerror}). Every frame needs its image and its mask: "
            "restore the file, or take its partner out too."
        ) from None
    pixels = cv2.imdecode(data, flags) if len(data) else None
    if pixels is None:
        raise DataError(
            f"{path}: the {kind} of {len(data)} bytes cannot be decoded as {path.suffix}. Restore it from its source."
        )
    return pixels
