"""The scope: exposure, tone, blur, interlace, sensor noise, sharpening and the recorder's compression."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from data_prep.polyp_phantom.fields import Array, f32
from data_prep.polyp_phantom.render import Light

NOISE_BANK = 48  # spare pixels of the noise field round a frame, so that each frame cuts another part


EXPOSURE_S = 1 / 25  # chosen: a video camera's frame time, the longest exposure it can have
FIELD_S = 1 / 50  # chosen: the time between an interlaced frame's two fields, and between a colour wheel's colours


@dataclass(frozen=True)
class Scope:
    """One endoscope with its processor and recorder; every field is drawn once per video."""

    light: Light
    pixels_per_radian: float
    white: Array  # (3,) gains of R, G, B
    brightness: float
    contrast: float
    black: float
    glare: float  # share of the light that the lens scatters over its surroundings
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
        contrast=float(rng.uniform(0.2, 0.6)),
        black=float(rng.uniform(0.008, 0.022)),
        glare=float(rng.uniform(0.04, 0.12)),
        sharpen=float(rng.uniform(0.1, 0.6)),
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
    small = cv2.resize(np.minimum(x, 2), None, fx=0.125, fy=0.125, interpolation=cv2.INTER_AREA)
    haze = cv2.resize(cv2.GaussianBlur(small, (0, 0), 2.5), x.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    x = np.maximum(x + np.float32(scope.glare) * (haze - x) - np.float32(scope.black), 0)
    x = np.minimum(x * (1 + x * np.float32(0.2)) / (1 + np.float32(0.75) * x), 1)
    root = np.sqrt(x)
    return root + np.float32(scope.contrast) * (x - root) * (1 - x)


def degrade(
    rng: np.random.Generator, image: Array, scope: Scope, gain: float, motion_px_per_s: Array, blur_px: float
) -> Array:
    """What lens, sensor and processor make of a display image: (H, W, 3) float32 in [0, 1] to the same.

    motion_px_per_s: (2,) x and y speed of the picture. blur_px: sigma of this frame's defocus.
    """
    height, width = image.shape[:2]
    if scope.sequential:
        # chosen: at most 3 pixels between red and blue, since processors mend the rest
        dx, dy = _at_most(motion_px_per_s * FIELD_S, 1.5)
        for channel, sign in ((0, -1), (2, 1)):
            image[..., channel] = _shift(np.ascontiguousarray(image[..., channel]), sign * dx, sign * dy)
    image = cv2.GaussianBlur(image, (0, 0), float(np.hypot(scope.softness_px, blur_px)))
    smear = _at_most(motion_px_per_s * EXPOSURE_S, 14.0)
    if float(np.hypot(*smear)) > 1.0:
        image = cv2.filter2D(image, -1, _line_kernel(smear), borderType=cv2.BORDER_REPLICATE)
    image = image + np.float32(scope.sharpen) * (image - cv2.GaussianBlur(image, (0, 0), 1.6))
    comb = float(_at_most(motion_px_per_s * FIELD_S, 5.0)[0])
    if scope.interlaced and abs(comb) > 0.5:
        image[1::2] = _shift(image, comb, 0.0)[1::2]
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


def _at_most(vector: Array, length: float) -> Array:
    return vector * min(1.0, length / max(float(np.hypot(*vector)), 1e-6))


def _line_kernel(smear: Array) -> Array:
    """A normalised line of the smear's length and direction."""
    half = max(1, int(np.ceil(np.abs(smear).max() / 2)))
    kernel = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
    for share in np.linspace(-0.5, 0.5, 31):
        kernel[round(half + share * smear[1]), round(half + share * smear[0])] += 1
    return kernel / kernel.sum()
