"""Where a frame shows something round: edges vote for the centre of the curve that they may be a part of.

The spirit of the paper's candidate generator (Tajbakhsh et al., TMI 2016, "shape and context": edges, their
classification, then voting for the centres of closed convex boundaries), built from a fast radial vote; the original
was not released. Places that stand out from their surroundings without a closed outline are added, for flat and for
half-hidden polyps.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from data_prep.polyp_detector.edges import Edges
from data_prep.polyp_detector.working_image import WorkingImage

# chosen: polyps of public sets span 4 to 70 % of the shorter side; the radii follow in steps of 1.4.
RADII_PX = (4.5, 6.3, 8.8, 12.3, 17.3, 24.2, 33.9, 47.4)
N_SECTORS = 8
_CELL_PX = 2  # side of an accumulator cell
_MAX_VOTED, _MAX_CONTRASTED = 60, 90  # proposals per frame of each kind, before the classifier
# chosen: edges that are less likely a polyp's do not vote.
LEAST_PROBABILITY = 0.2
_FULL = 0.5  # chosen: an outline of edges of this mean probability, each one pixel wide, has all of its votes
_FIELD_SIGMA_PX = 2.0


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


def propose(image: WorkingImage, edges: Edges, probability: np.ndarray) -> Proposals:
    """The peaks, over place and radius, of the vote and of the contrast; at most _MAX_VOTED and _MAX_CONTRASTED.

    An edge votes, with the probability that it is a polyp's, for the point that lies one radius inward of it. The votes
    of each eighth of the compass are capped before they are added, so a fold (two opposite eighths) cannot outvote a
    weak but closed outline. probability: (N,) of the edges.
    """
    vote, weakest = _votes(image.usable.shape, edges, probability)
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


def edge_field(shape: tuple[int, int], edges: Edges, probability: np.ndarray) -> np.ndarray:
    """(h, w, 3) float32: the x and y parts of the edges' inward directions, and 1, times their probability, spread.

    A long straight edge of probability 1 gives a length of 1 on itself, however many of its pixels are in `edges`.
    """
    columns, rows = edges.xy_px.astype(np.int64).T
    field = np.zeros((*shape, 3), np.float32)
    np.add.at(field, (rows, columns), np.column_stack([edges.inward, np.ones_like(probability)]) * probability[:, None])
    full = np.float32(np.sqrt(2 * np.pi) * _FIELD_SIGMA_PX / edges.share)
    return cv2.GaussianBlur(field, (0, 0), _FIELD_SIGMA_PX) * full


def _votes(shape: tuple[int, int], edges: Edges, probability: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean share of the compass, and its third weakest eighth, per radius and cell: (radii, rows, columns)."""
    n_rows, n_columns = shape[0] // _CELL_PX, shape[1] // _CELL_PX
    voting = probability > LEAST_PROBABILITY
    place, inward, weight = edges.xy_px[voting], edges.inward[voting], probability[voting]
    sector = ((np.arctan2(inward[:, 1], inward[:, 0]) / (2 * np.pi) + 1) * N_SECTORS).astype(np.int64) % N_SECTORS
    means, weakest = [], []
    for radius in RADII_PX:
        cell = (place + radius * inward) / _CELL_PX
        inside = (cell >= 0).all(1) & (cell < (n_columns, n_rows)).all(1)
        x, y = cell[inside].astype(np.int64).T
        flat = (y * n_columns + x) * N_SECTORS + sector[inside]
        votes = np.bincount(flat, weight[inside], n_rows * n_columns * N_SECTORS).astype(np.float32)
        # chosen: polyps are not circles; votes within half a radius of each other count together.
        window = (_odd(0.6 * radius / _CELL_PX),) * 2
        softened = cv2.blur(cv2.blur(votes.reshape(n_rows, n_columns, N_SECTORS), window), window)
        # What an eighth of a circle of such edges leaves at its own centre.
        full = edges.share * _FULL * (2 * np.pi * radius / N_SECTORS) / window[0] ** 2
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
