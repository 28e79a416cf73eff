"""The edges of a frame, and what the picture looks like around each: patches turned to the edge's normal, as a DCT.

After Tajbakhsh, Gurudu and Liang ("shape and context information", TMI 2016): a Canny edge map, oriented patches, the
low frequencies of their discrete cosine transform. Which side of an edge is the inside of something is not known here,
so every edge comes twice, once for each side.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.fft import dctn

from data_prep.polyp_detector.working_image import WorkingImage

# chosen: enough for every outline to have many; more cost time in proportion and add little.
MAX_EDGES = 1200
# chosen: Canny's thresholds, in the root mean square of the gradients around. Low: the classifier decides, not Canny.
CANNY_LOW, CANNY_HIGH = 0.35, 0.7
# chosen: patches of 8x8 points every 2 px show the edge itself, every 5 px what lies behind it.
PATCH_SIDE, PATCH_STEPS_PX = 8, (2.0, 5.0)
LOW_FREQUENCIES = 4  # kept are the coefficients whose two frequencies add up to less
_FIXED_POINT = 100  # Canny takes whole gradients

_U, _V = np.nonzero(np.add.outer(np.arange(LOW_FREQUENCIES), np.arange(LOW_FREQUENCIES)) < LOW_FREQUENCIES)
_N_PLANES = 3
N_DESCRIPTORS = len(_U) * _N_PLANES * len(PATCH_STEPS_PX)
# A patch seen from the other side is turned by half a circle: the coefficients of odd order change their sign.
_TURNED = np.tile(np.where((_U + _V) % 2, -1, 1), _N_PLANES * len(PATCH_STEPS_PX)).astype(np.float32)

# chosen: an edge is a polyp's within some 4 px of its outline and 45 degrees of its normal.
_TRUTH_SIGMA_PX, _TRUTH_LEAST, _TRUTH_COSINE = 2.5, 0.3, 0.7


@dataclass(frozen=True)
class Edges:
    """Edge pixels of a frame, each from both sides; float32, in working pixels.

    xy_px (N, 2); inward (N, 2), the unit normal towards the side that is taken for the inside; descriptors
    (N, N_DESCRIPTORS). share: of all edge pixels those that are here, in (0, 1].
    """

    xy_px: np.ndarray
    inward: np.ndarray
    descriptors: np.ndarray
    share: float


def find_edges(image: WorkingImage) -> Edges:
    """A fixed random choice of at most MAX_EDGES pixels of Canny's edge map, each twice: 2 MAX_EDGES rows."""
    gradient = np.dstack([image.gradient_x, image.gradient_y])
    whole = np.clip(gradient * _FIXED_POINT, -32_000, 32_000).astype(np.int16)
    thresholds = CANNY_LOW * _FIXED_POINT, CANNY_HIGH * _FIXED_POINT
    x_whole, y_whole = (np.ascontiguousarray(whole[..., axis]) for axis in (0, 1))
    rows, columns = np.nonzero((cv2.Canny(x_whole, y_whole, *thresholds, L2gradient=True) > 0) & image.usable)
    chosen = np.sort(np.random.default_rng(0).permutation(len(rows))[:MAX_EDGES])
    share = len(chosen) / len(rows) if len(rows) else 1.0
    rows, columns = rows[chosen], columns[chosen]
    normal = gradient[rows, columns]
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    xy_px = np.stack([columns, rows], 1).astype(np.float32)
    descriptors = _describe(image, xy_px, normal)
    return Edges(
        np.concatenate([xy_px, xy_px]),
        np.concatenate([normal, -normal]),
        np.concatenate([descriptors, descriptors * _TURNED]),
        share,
    )


def _describe(image: WorkingImage, xy_px: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """(N, N_DESCRIPTORS): rows of a patch run along the normal, its columns along the edge."""
    n = len(xy_px)
    if n == 0:
        return np.zeros((0, N_DESCRIPTORS), np.float32)
    relative = image.relative_planes()
    along = np.stack([-normal[:, 1], normal[:, 0]], 1)
    columns = []
    for step_px in PATCH_STEPS_PX:
        offset = (np.arange(PATCH_SIDE, dtype=np.float32) - (PATCH_SIDE - 1) / 2) * np.float32(step_px)
        across = offset[None, :, None, None] * normal[:, None, None]
        points = (xy_px[:, None, None] + across + offset[None, None, :, None] * along[:, None, None]).reshape(n, -1, 2)
        blurred = cv2.GaussianBlur(relative, (0, 0), step_px / 2)
        x, y = np.ascontiguousarray(points[..., 0]), np.ascontiguousarray(points[..., 1])
        patches = cv2.remap(blurred, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        waves = np.asarray(dctn(patches.reshape(n, PATCH_SIDE, PATCH_SIDE, _N_PLANES), axes=(1, 2), norm="ortho"))
        columns.append(waves[:, _U, _V].transpose(0, 2, 1).reshape(n, -1))
    return np.concatenate(columns, 1).astype(np.float32)


def is_polyp_edge(edges: Edges, mask: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """(N,) bool: the edge lies on the outline of a lesion and its inside is the lesion's.

    mask: (H, W), above 0 on lesions (where the truth is boxes, on these), of any size. shape: of the working image.
    """
    lesion = cv2.resize((mask > 0).astype(np.float32), shape[::-1], interpolation=cv2.INTER_AREA)
    soft = cv2.GaussianBlur(lesion, (0, 0), _TRUTH_SIGMA_PX)
    slopes = [cv2.Sobel(soft, cv2.CV_32F, dx, dy, scale=1 / 8) for dx, dy in ((1, 0), (0, 1))]
    columns, rows = edges.xy_px.astype(np.int64).T
    slope = np.stack([plane[rows, columns] for plane in slopes], 1)
    size = np.linalg.norm(slope, axis=1)
    steepest = 1 / (np.sqrt(2 * np.pi) * _TRUTH_SIGMA_PX)  # of a straight outline
    return (size > _TRUTH_LEAST * steepest) & ((slope * edges.inward).sum(1) > _TRUTH_COSINE * size)
