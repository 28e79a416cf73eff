"""What lies between lens and wall, or happens while the shutter is open. Images are (H, W, 3) float32 in [0, 1]."""

from __future__ import annotations

import cv2
import numpy as np

from data_prep.polyp_phantom.fields import Array, f32, fractal_noise, smoothstep

_LUMA = f32([0.299, 0.587, 0.114])


def extend(image: Array, view: Array) -> Array:
    """The picture carried on beyond the scope's border, so that what is smeared or bent brings no black into view."""
    held = view.astype(np.float32)
    small = cv2.resize(image * held[..., None], None, fx=0.125, fy=0.125, interpolation=cv2.INTER_AREA)
    weight = cv2.resize(held, None, fx=0.125, fy=0.125, interpolation=cv2.INTER_AREA)
    spread = cv2.GaussianBlur(small, (0, 0), 4.0) / np.maximum(cv2.GaussianBlur(weight, (0, 0), 4.0), 1e-3)[..., None]
    beyond = cv2.resize(spread, image.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return np.where(view[..., None], image, beyond)


def glare(image: Array, strength: float) -> Array:
    """Too much light, 0 to 1: what is overexposed floods its surroundings."""
    if strength <= 0:
        return image
    flood = cv2.GaussianBlur(np.maximum(image - np.float32(0.6), 0), (0, 0), 45.0)
    return np.clip(image + np.float32(2.0 * strength) * flood, 0, 1)


def blur_what_is_near(image: Array, depth: Array) -> Array:
    """Nearer than the lens can focus (about 5 mm) everything melts, and the light that went through the wall glows.

    depth: (H, W) distance from the lens, units of the lumen's radius.
    """
    near = smoothstep(0.34, 0.10, depth)
    if not (near > 0).any():
        return image
    share = cv2.GaussianBlur(near, (0, 0), 5.0)[..., None]
    soft, softer = (cv2.GaussianBlur(image, (0, 0), sigma) for sigma in (4.0, 14.0))
    melted = soft + np.clip(2 * share - 1, 0, 1) * (softer - soft)
    melted = melted * (1 + f32([0.0, -0.26, -0.30]) * np.clip(2 * share - 1, 0, 1))
    return image + np.minimum(2 * share, 1) * (melted - image)


def smear(rng: np.random.Generator, image: Array, length_px: float) -> Array:
    """The camera moves and turns while the shutter is open; `length_px` is the way of the picture's middle."""
    if length_px < 1:
        return image
    height, width = image.shape[:2]
    heading = rng.uniform(0, 2 * np.pi)
    way = length_px * np.array([np.cos(heading), 0.8 * np.sin(heading)])
    turn = rng.normal(0, 0.35) * length_px / (0.5 * height)
    bow = rng.normal(0, 0.2) * length_px  # a hand does not move in straight lines
    shares = np.linspace(-0.5, 0.5, int(np.clip(np.ceil(length_px / 2), 3, 28)))
    total = np.zeros_like(image)
    for share in shares:
        move = cv2.getRotationMatrix2D((width / 2, height / 2), np.degrees(turn * share), 1.0)
        move[:, 2] += way * share + bow * share**2 * np.array([-np.sin(heading), np.cos(heading)])
        total += cv2.warpAffine(image, move, (width, height), borderMode=cv2.BORDER_REFLECT_101)
    return total / np.float32(len(shares))


def cover_with_bubbles(rng: np.random.Generator, image: Array, share: float) -> Array:
    """Foam: a pale film over `share` of the view, and bubbles with rims and highlights on it, the large ones first."""
    if share <= 0:
        return image
    height, width = image.shape[:2]
    where = _part(rng, (height, width), share, (3, 4), sharp=0.25)
    luma = cv2.GaussianBlur(image @ _LUMA, (0, 0), 7.0)
    foam = (f32([1.0, 0.97, 0.86]) * (0.28 + 0.75 * luma)[..., None]).astype(np.float32)
    film = rng.uniform(0.25, 0.6)
    out = image + (np.float32(film) * where)[..., None] * (foam - image)
    typical = rng.uniform(5.0, 13.0)
    n = int(1.15 * float(where.mean()) * height * width / (np.pi * typical**2))
    inside = np.flatnonzero(where > 0.5)
    if not inside.size:
        return out
    centres = inside[rng.integers(0, inside.size, n)]
    radii = np.sort(np.clip(typical * rng.lognormal(0, 0.5, n), 2.5, 48.0))[::-1]
    lamps = rng.uniform(0.25, 0.5, 2)
    for centre, radius in zip(centres.tolist(), radii.tolist(), strict=True):
        _add_bubble(out, divmod(centre, width), radius, luma, lamps)
    return np.clip(out, 0, 1)


def _add_bubble(image: Array, centre: tuple[int, int], radius: float, luma: Array, lamps: Array) -> None:
    """One bubble, in place: clear within, dark towards the edge, a bright rim, and the two lamps mirrored in it."""
    row, column = centre
    reach = int(radius) + 2
    rows = slice(max(row - reach, 0), min(row + reach + 1, image.shape[0]))
    columns = slice(max(column - reach, 0), min(column + reach + 1, image.shape[1]))
    y = (np.arange(rows.start, rows.stop, dtype=np.float32)[:, None] - row) / np.float32(radius)
    x = (np.arange(columns.start, columns.stop, dtype=np.float32)[None] - column) / np.float32(radius)
    off = np.sqrt(x * x + y * y)
    bright = np.float32(0.35 + 0.75 * float(luma[row, column]))
    rim = np.exp(-(((off - 0.86) / 0.1) ** 2)) * bright
    edge = np.exp(-(((off - 1.02) / 0.07) ** 2))
    spot = np.exp(-((x + lamps[0]) ** 2 + (y + 0.35) ** 2) / 0.016)
    spot += 0.8 * np.exp(-((x - lamps[1]) ** 2 + (y + 0.3) ** 2) / 0.012)
    patch = image[rows, columns]
    dome = (off < 1) * (0.10 + 0.16 * np.maximum(y, -0.4))
    patch += (dome * bright + 0.42 * rim)[..., None] * f32([1.0, 0.98, 0.92])
    patch *= (1 - 0.35 * edge)[..., None]
    patch += (np.minimum(1.3 * spot * bright, 1))[..., None]


def cover_with_water(rng: np.random.Generator, image: Array, strength: float) -> Array:
    """A running film on the lens, 0 to 1: it bends and blurs what is behind, scatters light, and mirrors the lamps."""
    if strength <= 0:
        return image
    height, width = image.shape[:2]
    shape = (height, width)
    thick = _part(rng, shape, min(1.0, 0.35 + 0.8 * strength), (3, 3), sharp=0.8)
    reach = 34.0 * strength
    bent_x = reach * fractal_noise(rng, shape, (5, 3), 3) * thick
    bent_y = 0.6 * reach * fractal_noise(rng, shape, (3, 6), 3) * thick
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    bent = cv2.remap(image, columns + bent_x, rows + bent_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    soft = cv2.GaussianBlur(bent, (0, 0), 1.0 + 9.0 * strength)
    out = bent + (np.float32(min(1.0, 1.3 * strength)) * thick)[..., None] * (soft - bent)
    veil = np.float32(0.45 * strength) * thick[..., None]
    pale = cv2.GaussianBlur(image, (0, 0), 25.0).mean(axis=2, keepdims=True) * f32([1.05, 1.0, 0.95]) + np.float32(0.12)
    out = out + veil * (pale - out)
    ripples = fractal_noise(rng, shape, (13, 17), 3)
    glints = smoothstep(2.6, 4.0, ripples + 0.4 * thick) * np.float32(0.4 + 0.3 * strength)
    return np.clip(out + glints[..., None], 0, 1)


def cover_with_stool(rng: np.random.Generator, image: Array, share: float, colour: Array) -> Array:
    """Stool over `share` of the view, from turbid fluid with a level to lumps. colour: (3,) its own, display values."""
    if share <= 0:
        return image
    shape = (image.shape[0], image.shape[1])
    fluid = rng.random() < 0.5
    where = _part(rng, shape, share, (3, 4) if fluid else (6, 8), sharp=0.12, lean=2.2 if fluid else 0.6)
    grain = fractal_noise(rng, shape, (6, 8) if fluid else (11, 15), 3)
    grain = cv2.GaussianBlur(grain, (0, 0), 2.0)
    slope = np.roll(grain, 2, axis=0) - np.roll(grain, -2, axis=0)
    luma = cv2.GaussianBlur(image @ _LUMA, (0, 0), 9.0)
    lit = (0.10 + 1.05 * luma) * (1 + np.float32(0.05 if fluid else 0.35) * slope + np.float32(0.08) * grain)
    own = lit[..., None] * colour.astype(np.float32)
    gleam = smoothstep(1.6, 2.6, grain) * smoothstep(0.35, 0.8, luma) * np.float32(0.3)
    opacity = np.float32(rng.uniform(0.82, 0.97)) * where
    out = image + opacity[..., None] * (own - image) + (gleam * where)[..., None]
    return np.clip(out, 0, 1)


def _part(
    rng: np.random.Generator,
    shape: tuple[int, int],
    share: float,
    cells: tuple[int, int],
    sharp: float,
    lean: float = 0.8,
) -> Array:
    """A part of the view with soft borders, (H, W) float32 in [0, 1], about `share` of it; it leans to one side."""
    field = fractal_noise(rng, shape, cells, 4)
    side = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
    field = field + np.float32(lean) * (np.cos(side) * x + np.sin(side) * y).astype(np.float32)
    level = float(np.quantile(field[::4, ::4], 1 - min(share, 1.0)))
    return smoothstep(level - sharp, level + sharp, field) if share < 1 else np.ones(shape, np.float32)
