"""What stands between a surface and its picture: relief, light, lens and sensor. None of it depends on the class."""

from __future__ import annotations

import cv2
import numpy as np


def relief(opacity: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Shade a silhouette as a body that bulges towards the viewer, lit from a random side.

    opacity: (H, W) float32 in [0, 1]. Returns (H, W) float32 factors about 1: Lambert's cosine of a height field, which
    is the blurred silhouette.
    """
    height = cv2.GaussianBlur(opacity, (0, 0), rng.uniform(3, 12)) * rng.uniform(10, 40)
    dy, dx = np.gradient(height)
    angle, tilt = rng.uniform(0, 2 * np.pi), rng.uniform(0.3, 1.0)
    cosine = (1 + tilt * (np.cos(angle) * dx + np.sin(angle) * dy)) / np.sqrt(1 + dx**2 + dy**2)
    return np.clip(cosine, 0.15, 1.8).astype(np.float32)


def photograph(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Light, blur, tone and noise. (H, W, 3) float32 BGR about 0-255 in, uint8 out."""
    height, width = image.shape[:2]
    angle, slope = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.5)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    light = rng.uniform(0.65, 1.2) * (1 + slope * (np.cos(angle) * x + np.sin(angle) * y))
    cast = rng.normal(1, 0.06, 3).astype(np.float32)
    image = np.clip(image * light[:, :, None] * cast, 0, 255)
    if rng.random() < 0.5:  # chosen: half of the pictures are out of focus, by up to 1.4 px
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.4))
    image = 255 * (image / 255) ** rng.uniform(0.75, 1.35)
    image += rng.normal(0, rng.uniform(0.5, 6), image.shape)
    return np.clip(np.round(image), 0, 255).astype(np.uint8)
