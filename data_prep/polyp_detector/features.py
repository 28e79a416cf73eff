"""What a classifier may know of a proposal: its outline, its colour, and what surrounds it."""

from __future__ import annotations

import cv2
import numpy as np

from data_prep.polyp_detector.voting import Proposals
from data_prep.polyp_detector.working_image import WorkingImage

N_ANGLES = 24
_RINGS = np.linspace(0.1, 2.2, 22, dtype=np.float32)  # distances from the centre, in radii
_INSIDE = _RINGS < 0.75
_AROUND = (_RINGS > 1.3) & (_RINGS < 1.9)
_OUTLINE = (_RINGS > 0.55) & (_RINGS < 1.6)
_VOTED = 0.2  # chosen: of the edge field; an angle with more has voters
_GRADIENT_SHARE = 0.25  # chosen: what a gradient says of the outline, next to a classified edge

_PLANES = ("lightness", "redness", "yellowness")
FEATURES = (
    "log_radius",
    "vote",
    "weakest_eighths",
    "contrast",
    *(f"{plane}_{what}" for plane in _PLANES for what in ("inside", "difference", "spread_inside", "spread_around")),
    *(f"{plane}_{what}" for plane in _PLANES[:2] for what in ("step", "step_least_quarter", "step_most_quarter")),
    "vote_rank",
    "contrast_rank",
    "outline_mean",
    "outline_weakest",
    "outline_spread",
    "elongation",
    "rim_darkness",
    "glare_inside",
    "unusable_around",
    "darkest_around",
    "off_centre",
    "edges_mean",
    "edges_weakest_quarter",
    "edges_share_of_angles",
    "edges_against",
    "edges_inside",
    "edges_inside_inward",
    "edges_inside_outward",
    "edges_rank",
)


def describe(image: WorkingImage, field: np.ndarray, proposals: Proposals) -> tuple[np.ndarray, np.ndarray]:
    """Boxes and features of every proposal. field: of the classified edges, as `edge_field` says.

    Returns boxes (N, 4) float32, x0, y0, x1, y1 in working pixels, fitted to the strongest closed outline near the
    voted radius, and features (N, len(FEATURES)) float32. Colours are relative to the frame's mean and spread.
    """
    n = len(proposals.radius_px)
    if n == 0:
        return np.zeros((0, 4), np.float32), np.zeros((0, len(FEATURES)), np.float32)
    angles = np.arange(N_ANGLES, dtype=np.float32) * (2 * np.pi / N_ANGLES)
    unit = np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32)
    distance = proposals.radius_px[:, None] * _RINGS
    x = proposals.centre_px[:, 0, None, None] + distance[:, None, :] * unit[None, :, 0, None]
    y = proposals.centre_px[:, 1, None, None] + distance[:, None, :] * unit[None, :, 1, None]

    classified = _sample(field, x, y)
    outline = _outline_radius(image, proposals, unit, _inward(classified, unit), x, y)
    reach = outline.radius[:, :, None] * unit[None]
    points = proposals.centre_px[:, None, :] + reach
    height, width = image.usable.shape
    low = np.maximum(points.min(1), 0)
    high = np.minimum(points.max(1), [width, height])
    boxes = np.concatenate([low, np.maximum(high, low + 2)], 1).astype(np.float32)

    values = _sample(image.relative_planes(), x, y)
    inside, around = values[:, :, _INSIDE], values[:, :, _AROUND]
    columns = [np.log(proposals.radius_px), proposals.vote, proposals.weakest, proposals.contrast]
    for plane in range(3):
        values_in, values_out = inside[..., plane].reshape(n, -1), around[..., plane].reshape(n, -1)
        columns += [
            values_in.mean(1),
            values_in.mean(1) - values_out.mean(1),
            values_in.std(1),
            values_out.std(1),
        ]
    raw = _sample(image.planes, x, y)
    for plane in range(2):
        steps = raw[:, :, _INSIDE, plane].mean(2).mean(1, keepdims=True) - raw[:, :, _AROUND, plane].mean(2)
        steps = np.sort(np.clip(steps, -0.5, 0.5), axis=1)
        columns += [steps.mean(1), steps[:, : N_ANGLES // 4].mean(1), steps[:, -N_ANGLES // 4 :].mean(1)]
    columns += [_rank(proposals.vote), _rank(proposals.contrast)]
    rim = values[:, :, _OUTLINE, 0].min(2).mean(1)
    extent = points.max(1) - points.min(1)
    centred = (boxes[:, :2] + boxes[:, 2:]) / 2 - np.array([width / 2, height / 2], np.float32)
    columns += [
        outline.strength.mean(1),
        np.sort(outline.strength, 1)[:, : N_ANGLES // 4].mean(1),
        (outline.radius / proposals.radius_px[:, None]).std(1),
        np.log(extent.max(1) / (extent.min(1) + 1.0)),
        rim - columns[4],
        _sample(image.glare, x, y)[:, :, _INSIDE].reshape(n, -1).mean(1),
        1 - _sample(image.usable.astype(np.float32), x, y).reshape(n, -1).mean(1),
        around[..., 0].reshape(n, -1).min(1),
        np.hypot(centred[:, 0], centred[:, 1]) / np.hypot(width, height),
        *_edge_columns(classified, outline.edges, unit),
    ]
    return boxes, np.stack(columns, 1).astype(np.float32)


def _rank(values: np.ndarray) -> np.ndarray:
    """How many of the frame's proposals have more, as a logarithm."""
    return np.log1p(np.argsort(np.argsort(-values, kind="stable"), kind="stable"))


def _edge_columns(classified: np.ndarray, on_outline: np.ndarray, unit: np.ndarray) -> list[np.ndarray]:
    """What the classified edges say: (N,) each, in the order of FEATURES."""
    n = len(classified)
    inward = _inward(classified, unit)
    inside = inward[:, :, _INSIDE].reshape(n, -1)
    mean = on_outline.mean(1)
    return [
        mean,
        np.sort(on_outline, 1)[:, : N_ANGLES // 4].mean(1),
        (on_outline > _VOTED).mean(1),
        np.maximum(-inward[:, :, _OUTLINE], 0).max(2).mean(1),
        classified[:, :, _INSIDE, 2].reshape(n, -1).mean(1),
        np.maximum(inside, 0).mean(1),
        np.maximum(-inside, 0).mean(1),
        _rank(mean),
    ]


class _Outline:
    """Of the outline chosen along each ray: radius (N, N_ANGLES) px, strength of the gradient, edges of the field."""

    def __init__(self, radius: np.ndarray, strength: np.ndarray, edges: np.ndarray) -> None:
        self.radius = radius
        self.strength = strength
        self.edges = edges


def _outline_radius(
    image: WorkingImage, proposals: Proposals, unit: np.ndarray, classified: np.ndarray, x: np.ndarray, y: np.ndarray
) -> _Outline:
    inward = _inward(_sample(np.dstack([image.gradient_x, image.gradient_y]), x, y), unit)
    # chosen: an edge half a radius off the voted circle counts a third of one that lies on it.
    preferred = np.exp(-0.5 * ((_RINGS - 1.0) / 0.33) ** 2)
    evidence = np.maximum(classified, 0) + _GRADIENT_SHARE * np.clip(inward, 0, 3)
    evidence = evidence * preferred * _OUTLINE
    # Neighbouring rays share their evidence: an outline is smooth.
    evidence = evidence + 0.5 * (np.roll(evidence, 1, axis=1) + np.roll(evidence, -1, axis=1))
    best = np.argmax(evidence + 1e-3 * preferred, axis=2)[:, :, None]
    return _Outline(
        _RINGS[best[..., 0]] * proposals.radius_px[:, None],
        np.take_along_axis(np.minimum(inward, 3.0), best, 2)[..., 0],
        np.take_along_axis(np.maximum(classified, 0), best, 2)[..., 0],
    )


def _inward(vectors: np.ndarray, unit: np.ndarray) -> np.ndarray:
    """(N, A, R): the part of vectors (N, A, R, 2 or more) that points along the rays to the centre."""
    return -(vectors[..., 0] * unit[None, :, 0, None] + vectors[..., 1] * unit[None, :, 1, None])


def _sample(plane: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Bilinear values of plane (h, w[, c]) at x, y (N, A, R): (N, A, R[, c])."""
    n, angles, rings = x.shape
    flat = cv2.remap(
        plane,
        x.reshape(n * angles, rings).astype(np.float32),
        y.reshape(n * angles, rings).astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return flat.reshape(n, angles, rings, *plane.shape[2:])
