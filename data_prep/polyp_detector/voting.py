"""Where a frame shows something round: edges vote for the centre of the curve that they may be a part of.

The spirit of the paper's candidate generator (Tajbakhsh et al., TMI 2015, "shape and context": edges, then voting for
the centres of closed curved boundaries), built from a fast radial vote; the original was not released. Places that
stand out from their surroundings without a closed outline are added, for flat and for half-hidden polyps.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

# All lengths are pixels of the working image, whose shorter side is WORKING_SIDE_PX whatever the endoscope delivers.
# chosen: two thirds of CVC's 384x288; smaller loses the smallest polyps, full size doubles the time.
WORKING_SIDE_PX = 192

# chosen: polyps of public sets span 4 to 70 % of the shorter side; the radii follow in steps of 1.4.
RADII_PX = (4.5, 6.3, 8.8, 12.3, 17.3, 24.2, 33.9, 47.4)
N_SECTORS = 8
_CELL_PX = 2  # side of an accumulator cell
_MAX_VOTED, _MAX_CONTRASTED = 60, 90  # proposals per frame of each kind, before the classifier

_DARK_RGB = 24  # brightest channel below this: the black surround of the picture
_GLARE_RGB = 225  # darkest channel above this: specular highlight
_DARK_OFFSET = 24.0  # added before logarithms: below this, grey values are noise


@dataclass(frozen=True)
class WorkingImage:
    """A frame prepared for voting and features; (h, w) float32 planes, shorter side WORKING_SIDE_PX.

    planes: (h, w, 3), logarithms of lightness, of red to green, and of green to blue: light that falls off with
    distance multiplies all channels and leaves the last two alone. gradient_x, gradient_y: of the stronger of the
    lightness and redness edges, relative to the edges around. usable: False on and beside the black surround and
    glare. scale: working px per frame px.
    """

    planes: np.ndarray
    gradient_x: np.ndarray
    gradient_y: np.ndarray
    glare: np.ndarray
    usable: np.ndarray
    scale: float


def prepare(image_rgb: np.ndarray) -> WorkingImage:
    """image_rgb: (H, W, 3) uint8."""
    height, width = image_rgb.shape[:2]
    scale = WORKING_SIDE_PX / min(height, width)
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = cv2.resize(image_rgb, (round(width * scale), round(height * scale)), interpolation=interpolation)
    glare = (small.min(2) > _GLARE_RGB).astype(np.uint8)
    hidden = cv2.dilate(np.maximum(1 - _view(small), glare), np.ones((5, 5), np.uint8))
    usable = hidden == 0
    logs = np.log(cv2.GaussianBlur(small, (0, 0), 1.0).astype(np.float32) + _DARK_OFFSET)
    planes = np.dstack([logs.mean(2), logs[..., 0] - logs[..., 1], logs[..., 1] - logs[..., 2]])
    (lx, ly), (ax, ay) = _gradient(planes[..., 0]), _gradient(2 * planes[..., 1])  # chosen: redness varies less
    lightness, redness = cv2.magnitude(lx, ly), cv2.magnitude(ax, ay)
    redder = redness > lightness
    gx, gy = np.where(redder, ax, lx) * usable, np.where(redder, ay, ly) * usable
    window = (WORKING_SIDE_PX // 4, WORKING_SIDE_PX // 4)
    # chosen: a change of 1 % per px is an edge anywhere. (The running sums of a blur can end just below zero.)
    around = np.sqrt(np.maximum(cv2.blur(gx * gx + gy * gy, window), 0)) + 0.01
    return WorkingImage(planes, gx / around, gy / around, glare.astype(np.float32), usable, scale)


def _view(small_rgb: np.ndarray) -> np.ndarray:
    """(h, w) uint8, 1 in the endoscope's view: the hull of the largest bright part, so not text beside it."""
    bright = cv2.erode((small_rgb.max(2) >= _DARK_RGB).astype(np.uint8), np.ones((3, 3), np.uint8))
    outlines, _ = cv2.findContours(bright, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    view = np.zeros_like(bright)
    if outlines:
        cv2.fillConvexPoly(view, cv2.convexHull(max(outlines, key=cv2.contourArea)), (1,))
    return view


def _gradient(plane: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    plane = np.ascontiguousarray(plane)
    return cv2.Sobel(plane, cv2.CV_32F, 1, 0, scale=1 / 8), cv2.Sobel(plane, cv2.CV_32F, 0, 1, scale=1 / 8)


@dataclass(frozen=True)
class Proposals:
    """centre_px: (N, 2) x, y; the others (N,); float32, in working pixels.

    vote: how closed the outline is, in [0, 1]. weakest: the same of its third weakest eighth. contrast: how much its
    disc stands out in redness and lightness, in spreads of the frame.
    """

    centre_px: np.ndarray
    radius_px: np.ndarray
    vote: np.ndarray
    weakest: np.ndarray
    contrast: np.ndarray


def propose(image: WorkingImage) -> Proposals:
    """The peaks, over place and radius, of the vote and of the contrast; at most _MAX_VOTED and _MAX_CONTRASTED.

    An edge pixel votes, with its relative strength, for the point that lies one radius up its gradient: a polyp
    bulges towards the light and is redder than the wall. The votes of each eighth of the compass are capped before
    they are added, so a fold (two opposite eighths) cannot outvote a weak but closed outline.
    """
    vote, weakest = _votes(image)
    contrast = _contrast(image)
    usable = cv2.resize(image.usable.astype(np.uint8), vote.shape[:0:-1], interpolation=cv2.INTER_NEAREST) > 0
    vote, contrast = vote * usable, contrast * usable
    places = _peaks(vote, _MAX_VOTED) | _peaks(contrast, _MAX_CONTRASTED)
    level, row, column = np.array(sorted(places), np.int64).reshape(-1, 3).T
    return Proposals(
        (np.stack([column, row], 1).astype(np.float32) + 0.5) * _CELL_PX,
        np.array(RADII_PX, np.float32)[level],
        vote[level, row, column],
        weakest[level, row, column],
        contrast[level, row, column],
    )


def _votes(image: WorkingImage) -> tuple[np.ndarray, np.ndarray]:
    """Mean share of the compass, and its third weakest eighth, per radius and cell: (radii, rows, columns)."""
    height, width = image.gradient_x.shape
    n_rows, n_columns = height // _CELL_PX, width // _CELL_PX
    strength = cv2.magnitude(image.gradient_x, image.gradient_y)
    rows, columns = np.nonzero(strength > 0.5)  # chosen: half the root mean square of the edges around
    strength = strength[rows, columns]
    weight = np.minimum(strength, 3.0)
    unit_x, unit_y = image.gradient_x[rows, columns] / strength, image.gradient_y[rows, columns] / strength
    sector = ((np.arctan2(unit_y, unit_x) / (2 * np.pi) + 1) * N_SECTORS).astype(np.int64) % N_SECTORS
    means, weakest = [], []
    for radius in RADII_PX:
        x = ((columns + radius * unit_x) / _CELL_PX).astype(np.int64)
        y = ((rows + radius * unit_y) / _CELL_PX).astype(np.int64)
        inside = (x >= 0) & (y >= 0) & (x < n_columns) & (y < n_rows)
        flat = (y[inside] * n_columns + x[inside]) * N_SECTORS + sector[inside]
        votes = np.bincount(flat, weight[inside], n_rows * n_columns * N_SECTORS).astype(np.float32)
        # chosen: polyps are not circles; votes within half a radius of each other count together.
        window = (_odd(0.6 * radius / _CELL_PX),) * 2
        softened = cv2.blur(cv2.blur(votes.reshape(n_rows, n_columns, N_SECTORS), window), window)
        # What an eighth of a circle of edges of relative strength 1, two pixels wide, leaves at its own centre.
        full = 2 * (2 * np.pi * radius / N_SECTORS) / window[0] ** 2
        shares = np.sort(np.minimum(softened / full, 1.0), axis=2)
        means.append(shares.mean(2))
        weakest.append(shares[..., 2])
    return np.stack(means), np.stack(weakest)


def _contrast(image: WorkingImage) -> np.ndarray:
    """How much a disc differs from its surroundings, redder and lighter, per radius and cell."""
    size = (image.usable.shape[1] // _CELL_PX, image.usable.shape[0] // _CELL_PX)
    total = np.zeros((len(RADII_PX), size[1], size[0]), np.float32)
    for plane in (0, 1):
        small = cv2.resize(np.ascontiguousarray(image.planes[..., plane]), size, interpolation=cv2.INTER_AREA)
        # The black surround and glare must not stand out: they take the mean of what is around them.
        usable = cv2.resize(image.usable.astype(np.float32), size, interpolation=cv2.INTER_AREA)
        for level, radius in enumerate(RADII_PX):
            inner, outer = (_odd(1.4 * radius / _CELL_PX),) * 2, (_odd(3.2 * radius / _CELL_PX),) * 2
            centre, around = (
                cv2.blur(small * usable, window) / (cv2.blur(usable, window) + 0.05) for window in (inner, outer)
            )
            difference = centre - around
            total[level] += difference / (difference.std() + 1e-3)
    return total


def _odd(width: float) -> int:
    return 2 * int(width / 2) + 1


def _peaks(response: np.ndarray, limit: int) -> set[tuple[int, int, int]]:
    """The `limit` highest local maxima (level, row, column) of (radii, rows, columns) that no similar, better one has.

    Similar: the next radius or the same, closer than half the radius.
    """
    found = []
    for level, radius in enumerate(RADII_PX):
        window = np.ones((_odd(0.5 * radius / _CELL_PX) + 2,) * 2, np.uint8)
        rows, columns = np.nonzero((response[level] >= cv2.dilate(response[level], window)) & (response[level] > 0))
        found.append(np.stack([response[level, rows, columns], np.full(len(rows), level), rows, columns], 1))
    peaks = np.concatenate(found)
    peaks = peaks[np.argsort(-peaks[:, 0], kind="stable")][: 20 * limit]
    kept = np.zeros((0, 4))
    for peak in peaks:
        reach = 0.5 * RADII_PX[int(peak[1])] / _CELL_PX
        near = np.hypot(kept[:, 2] - peak[2], kept[:, 3] - peak[3]) < reach
        if not np.any(near & (np.abs(kept[:, 1] - peak[1]) <= 1)):
            kept = np.concatenate([kept, peak[None]])
            if len(kept) == limit:
                break
    return {(int(level), int(row), int(column)) for _, level, row, column in kept}
