"""The scope: exposure, tone, blur, interlace, sensor noise, sharpening and the recorder's compression."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from data_prep.polyp_phantom.fields import Array, f32
from data_prep.polyp_phantom.render import Light

NOISE_BANK = 48  # spare pixels of the noise field round a frame, so that each frame cuts another part


@dataclass(frozen=True)
class Scope:
    """One endoscope with its processor and recorder; every field is drawn once per video."""

    light: Light
    pixels_per_radian: float
    white: Array  # (3,) gains of R, G, B
    brightness: float
    contrast: float
    sharpen: float
    softness_px: float
    noise: float
    noise_bank: Array
    interlaced: bool
    sequential: bool  # colours taken one after another: motion parts them
    jpeg_quality: int


def draw_scope(rng: np.random.Generator, shape: tuple[int, int], difficulty: float) -> Scope:
    side = rng.uniform(0.05, 0.09)
    offsets = np.array([[side, 0.02, 0], [-side, rng.uniform(-0.03, 0.05), 0]])
    bank = rng.standard_normal((shape[0] + NOISE_BANK, shape[1] + NOISE_BANK, 3)).astype(np.float32)
    bank = 0.55 * bank + 0.9 * cv2.GaussianBlur(bank, (0, 0), 1.0)
    return Scope(
        light=Light(offsets, ambient=float(rng.uniform(0.10, 0.24)), shine=float(rng.uniform(0.7, 1.6))),
        pixels_per_radian=float(rng.uniform(140, 185)),
        white=(np.array([1.0, rng.uniform(0.93, 1.08), rng.uniform(0.82, 1.12)])).astype(np.float32),
        brightness=float(rng.uniform(0.8, 1.2)),
        contrast=float(rng.uniform(0.15, 0.55)),
        sharpen=float(rng.uniform(0.2, 1.0)),
        softness_px=float(rng.uniform(0.45, 0.9) + 0.3 * difficulty),
        noise=float(rng.uniform(0.006, 0.016) * (0.7 + 0.8 * difficulty)),
        noise_bank=bank,
        interlaced=bool(rng.random() < 0.3),
        sequential=bool(rng.random() < 0.25),
        jpeg_quality=int(rng.integers(68, 94)),
    )


def next_gain(linear: Array, view: Array, before: float | None, brightness: float) -> float:
    """Automatic exposure: follows the light of the view's brighter part, with the inertia of a real processor."""
    wanted = 0.42 * brightness / max(float(np.percentile(linear[..., 1][view][::7], 75)), 1e-4)
    wanted = min(wanted, 30.0)
    return wanted if before is None else before**0.55 * wanted**0.45


def expose(linear: Array, scope: Scope, gain: float) -> Array:
    """Display values (H, W, 3) float32 in [0, 1]: gain, white balance, a soft shoulder, gamma 2, deeper shadows."""
    x = linear * (scope.white * np.float32(gain))
    x = np.minimum(x * (1 + x * np.float32(0.2)) / (1 + np.float32(0.75) * x), 1)
    root = np.sqrt(x)
    return root + np.float32(scope.contrast) * (x - root) * (1 - x)


def degrade(
    rng: np.random.Generator, image: Array, scope: Scope, gain: float, motion_px: tuple[float, float], blur_px: float
) -> Array:
    """What lens, sensor and processor make of a display image: (H, W, 3) float32 in [0, 1] to the same.

    motion_px: x, y shift of the picture since the last frame. blur_px: sigma of this frame's defocus.
    """
    height, width = image.shape[:2]
    dx, dy = motion_px
    if scope.sequential:
        for channel, share in ((0, -0.12), (2, 0.12)):
            image[..., channel] = _shift(np.ascontiguousarray(image[..., channel]), share * dx, share * dy)
    image = cv2.GaussianBlur(image, (0, 0), float(np.hypot(scope.softness_px, blur_px)))
    smear = 0.22 * np.array([dx, dy])
    length = float(np.hypot(*smear))
    if length > 1.0:
        image = cv2.filter2D(image, -1, _line_kernel(smear), borderType=cv2.BORDER_REPLICATE)
    if scope.sharpen > 0:
        image = image + np.float32(scope.sharpen) * (image - cv2.GaussianBlur(image, (0, 0), 1.6))
    if scope.interlaced and abs(dx) > 2:
        image[1::2] = _shift(image, float(np.clip(0.25 * dx, -5, 5)), 0.0)[1::2]
    oy, ox = rng.integers(0, NOISE_BANK, 2)
    grain = scope.noise_bank[oy : oy + height, ox : ox + width]
    return np.clip(image + grain * np.float32(scope.noise * (0.6 + 0.15 * gain**0.5)), 0, 1)


def record(image_rgb: Array, scope: Scope) -> Array:
    """The recorder's lossy compression: (H, W, 3) uint8 RGB to the same."""
    good, data = cv2.imencode(".jpg", image_rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, scope.jpeg_quality])
    assert good, "OpenCV's JPEG encoder refused an 8-bit RGB image"
    seen = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert seen is not None, "OpenCV cannot read the JPEG that it wrote"
    return np.ascontiguousarray(seen[..., ::-1])


def _shift(image: Array, dx: float, dy: float) -> Array:
    move = f32([[1, 0, dx], [0, 1, dy]])
    return cv2.warpAffine(image, move, (image.shape[1], image.shape[0]), borderMode=cv2.BORDER_REPLICATE)


def _line_kernel(smear: Array) -> Array:
    """A normalised line of the smear's length and direction, at most 15 pixels."""
    half = int(np.clip(np.ceil(np.abs(smear).max() / 2), 1, 7))
    kernel = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
    limited = smear * min(1.0, 14.0 / float(np.hypot(*smear)))
    for share in np.linspace(-0.5, 0.5, 31):
        kernel[round(half + share * limited[1]), round(half + share * limited[0])] += 1
    return kernel / kernel.sum()
