"""A frame as the detector sees it: one size, logarithms of lightness and colour, and their edges."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

# All lengths are pixels of the working image, whose shorter side is WORKING_SIDE_PX whatever the endoscope delivers.
# chosen: two thirds of CVC's 384x288; smaller loses the smallest polyps, full size doubles the time.
WORKING_SIDE_PX = 192
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

    def relative_planes(self) -> np.ndarray:
        """(h, w, 3) float32: the planes less the mean of what is usable, in its spreads."""
        mucosa = self.planes[self.usable] if self.usable.any() else self.planes.reshape(-1, 3)
        mean, spread = (value.astype(np.float32) for value in (mucosa.mean(0, np.float64), mucosa.std(0, np.float64)))
        return (self.planes - mean) / (spread + np.float32(0.02))


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
