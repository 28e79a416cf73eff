"""The skin of the wall: colour, vessel trees, wetness and fine relief, as maps over (depth, angle)."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from data_prep.polyp_phantom.fields import Array, fractal_noise, sample, smoothstep, value_noise
from data_prep.polyp_phantom.lumen import PERIOD, TAU, texel

SKIN = (2048, 1024)  # chosen: 128 rows and 163 columns a unit, about one texel a pixel at the usual distance


@dataclass
class Skin:
    """Maps that the painters below and in distractors.py change in place before `finish`.

    albedo: (*SKIN, 3) float32, linear reflectance RGB in [0, 1]. wet: SKIN float32 in [0, 1], strength of highlights.
    relief: SKIN float32, height above the wall in units. tone: (3,) the patient's mean mucosa colour.
    """

    albedo: Array
    wet: Array
    relief: Array
    tone: Array

    def finish(self) -> SkinMap:
        paint = np.dstack([self.albedo, self.wet])
        wide = np.pad(self.relief, 1, mode="wrap")
        r_z = (wide[2:, 1:-1] - wide[:-2, 1:-1]) * np.float32(0.5 * SKIN[0] / PERIOD)
        r_t = (wide[1:-1, 2:] - wide[1:-1, :-2]) * np.float32(0.5 * SKIN[1] / TAU)
        return SkinMap(
            np.round(np.clip(paint, 0, 1) * 255).astype(np.uint8), np.clip(np.dstack([r_z, r_t]), -1.2, 1.2), self.tone
        )


@dataclass(frozen=True)
class SkinMap:
    """paint: (*SKIN, 4) uint8, albedo RGB and wetness over 255. slope: (*SKIN, 2) float32, d relief / d(z, theta)."""

    paint: Array
    slope: Array
    tone: Array

    def look_up(self, z: Array, theta: Array) -> tuple[Array, Array, Array]:
        """Albedo (N, 3) and wetness (N,) in [0, 1], and the relief's slopes (N, 2), all float32."""
        row, column = texel(z, theta, SKIN)
        paint = sample(self.paint, column, row).astype(np.float32) * np.float32(1 / 255)
        return paint[:, :3], paint[:, 3], sample(self.slope, column, row)


def draw_skin(rng: np.random.Generator) -> Skin:
    """One patient's mucosa: tone, mottling, vessels and relief. Its mean colour and vascularity differ by patient."""
    tones = np.array([[0.80, 0.34, 0.23], [0.78, 0.29, 0.14], [0.68, 0.19, 0.12], [0.84, 0.42, 0.28]])
    mix = rng.dirichlet([0.8] * len(tones))
    tone = (mix @ tones * rng.uniform(0.92, 1.06, 3)).astype(np.float32)

    mottle = fractal_noise(rng, SKIN, (24, 10), 4)
    flush = fractal_noise(rng, SKIN, (10, 4), 3)
    grain = fractal_noise(rng, SKIN, (256, 128), 3)
    albedo = np.empty((*SKIN, 3), np.float32)
    albedo[:] = tone
    redness = rng.uniform(0.03, 0.09)
    for channel, (light, red) in enumerate([(0.030, 0.2), (0.060, -1.0), (0.060, -0.9)]):
        albedo[..., channel] *= 1 + light * (mottle + 0.6 * grain) + red * redness * flush

    vessels = draw_vessels(rng, trees=int(rng.integers(10, 48)))
    strength = rng.uniform(0.2, 0.95)
    for channel, dim in enumerate([0.34, 0.74, 0.64]):
        albedo[..., channel] *= 1 - dim * strength * vessels

    wet = 0.15 + 0.85 * smoothstep(-0.3, 1.2, fractal_noise(rng, SKIN, (64, 32), 3))
    coarse = fractal_noise(rng, SKIN, (150, 80), 2)
    relief = rng.uniform(0.0010, 0.0026) * coarse + rng.uniform(0.0002, 0.0007) * grain
    relief += 0.004 * value_noise(rng, SKIN, (60, 32)) - 0.002 * vessels
    return Skin(albedo, wet.astype(np.float32), relief.astype(np.float32), tone)


def draw_vessels(rng: np.random.Generator, trees: int) -> Array:
    """Darkness of the submucosal vessels, SKIN float32 in [0, 1]: branching walks, thin ones sharp, thick ones soft."""
    pad = 256
    fine = np.zeros((SKIN[0] + 2 * pad, SKIN[1] + 2 * pad), np.uint8)
    thick = np.zeros_like(fine)
    for _ in range(trees):
        start = rng.uniform((pad, pad), (pad + SKIN[0], pad + SKIN[1]))
        todo = [(start, rng.uniform(0, TAU), rng.uniform(2.2, 5.0), 0)]
        while todo:
            at, heading, width, depth = todo.pop()
            steps = int(rng.integers(5, 14))
            turns = heading + np.cumsum(rng.normal(0, 0.28, steps))
            path = at + np.cumsum(9.0 * np.stack([np.sin(turns), np.cos(turns)], axis=1), axis=0)
            line = np.round(np.vstack([at, path])[:, ::-1] * 8).astype(np.int32)
            canvas = thick if width > 2.0 else fine
            shade = int(np.clip(70 + 55 * width, 0, 255))
            cv2.polylines(canvas, [line], False, shade, max(1, round(width)), cv2.LINE_AA, 3)
            if depth < 5 and width > 0.8:
                for side in (-1, 1):
                    child = width * rng.uniform(0.55, 0.85)
                    todo.append((path[-1], turns[-1] + side * rng.uniform(0.25, 0.8), child, depth + 1))
    dark = np.maximum(
        cv2.GaussianBlur(thick, (0, 0), 1.8).astype(np.float32), cv2.GaussianBlur(fine, (0, 0), 0.8).astype(np.float32)
    )
    return _fold_pad(dark, pad) / 255.0


def _fold_pad(wide: Array, pad: int) -> Array:
    """Fold a canvas's padding back onto the opposite side, so that what was drawn across an edge wraps round."""
    rows = wide[pad:-pad].copy()
    rows[-pad:] = np.maximum(rows[-pad:], wide[:pad])
    rows[:pad] = np.maximum(rows[:pad], wide[-pad:])
    columns = rows[:, pad:-pad].copy()
    columns[:, -pad:] = np.maximum(columns[:, -pad:], rows[:, :pad])
    columns[:, :pad] = np.maximum(columns[:, :pad], rows[:, -pad:])
    return columns
