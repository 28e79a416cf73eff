"""Things that stand in the lumen: unions of ellipsoids and one stalk, as signed distances in their own frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data_prep.polyp_phantom.fields import Array


@dataclass(frozen=True)
class Solid:
    """A polyp, a stool ball or an instrument, grown from `origin` along the third of `axes`.

    origin: (3,) world. axes: (3, 3) rows t1, t2, n (unit). blobs: (K, 6) centre and semi-axes in the local frame.
    stalk: (7,) two ends and the radius of a capsule, or None. blend: radius over which it melts into the wall, and its
    blobs into each other; 0 for what only lies there. lumps: (amplitude, frequency) of its surface's unevenness.
    tint: (3,) its albedo. pattern: strength of its own texture. gloss: strength of its highlights.
    """

    kind: str
    origin: Array
    axes: Array
    blobs: Array
    stalk: Array | None
    blend: float
    lumps: tuple[float, float]
    tint: Array
    pattern: float
    gloss: float

    @property
    def reach(self) -> float:
        """Radius about the origin that holds all of it."""
        far = max(float(np.linalg.norm(b[:3]) + b[3:].max()) for b in self.blobs)
        if self.stalk is not None:
            ends = self.stalk[:6].reshape(2, 3)
            far = max(far, float(np.linalg.norm(ends, axis=1).max() + self.stalk[6]))
        return far + self.lumps[0] + self.blend

    def local(self, x: Array, y: Array, z: Array) -> tuple[Array, Array, Array]:
        a = self.axes.astype(np.float32)
        dx, dy, dz = x - np.float32(self.origin[0]), y - np.float32(self.origin[1]), z - np.float32(self.origin[2])
        u, v, w = (a[k, 0] * dx + a[k, 1] * dy + a[k, 2] * dz for k in range(3))
        return u, v, w

    def distance(self, x: Array, y: Array, z: Array) -> Array:
        """Signed distance (approximate, never much too long) to the surface; negative inside. float32."""
        u, v, w = self.local(x, y, z)
        c = self.blobs.astype(np.float32)[..., None]
        qu, qv, qw = (u - c[:, 0]) / c[:, 3], (v - c[:, 1]) / c[:, 4], (w - c[:, 2]) / c[:, 5]
        k0 = np.sqrt(qu * qu + qv * qv + qw * qw)
        k1 = np.sqrt((qu / c[:, 3]) ** 2 + (qv / c[:, 4]) ** 2 + (qw / c[:, 5]) ** 2)
        parts = k0 * (k0 - 1) / np.maximum(k1, 1e-4)
        if self.stalk is not None:
            parts = np.vstack([parts, self._stalk_distance(u, v, w)])
        total = parts[0]
        if len(parts) > 1:  # the least of them, with the creases between them filled
            soft = np.float32(max(0.15 * self.blend, 0.004))
            least = parts.min(axis=0)
            total = least - soft * np.log(np.exp((least - parts) / soft).sum(axis=0))
        amplitude, frequency = (np.float32(v) for v in self.lumps)
        if amplitude:
            bumps = np.sin(frequency * u + 1.3) * np.sin(frequency * v + 0.4) + np.sin(
                frequency * (w + 0.5 * u - 0.4 * v)
            )
            total = total - amplitude * np.float32(0.5) * bumps
        return total

    def _stalk_distance(self, u: Array, v: Array, w: Array) -> Array:
        assert self.stalk is not None
        a, b, radius = self.stalk[:3], self.stalk[3:6], self.stalk[6]
        along = (b - a).astype(np.float32)
        pu, pv, pw = u - np.float32(a[0]), v - np.float32(a[1]), w - np.float32(a[2])
        share = np.clip((pu * along[0] + pv * along[1] + pw * along[2]) / np.float32(along @ along), 0, 1)
        aside = (pu - share * along[0]) ** 2 + (pv - share * along[1]) ** 2 + (pw - share * along[2]) ** 2
        return np.sqrt(aside) - np.float32(radius)


def smooth_union(a: Array, b: Array, radius: float) -> Array:
    """The smaller of two distances, with the crease between them filled over `radius`."""
    if radius <= 0:
        return np.minimum(a, b)
    k = np.float32(radius)
    h = np.maximum(k - np.abs(a - b), 0) / k
    return np.minimum(a, b) - h * h * k * np.float32(0.25)


def frame_from_normal(normal: Array, turn: float) -> Array:
    """Three orthonormal rows (t1, t2, normal), t1 turned by `turn` radians about the normal."""
    helper = np.array([0.0, 0.0, 1.0]) if abs(normal[2]) < 0.9 else np.array([1.0, 0.0, 0.0])
    t1 = helper - normal * (helper @ normal)
    t1 /= np.linalg.norm(t1)
    t2 = np.cross(normal, t1)
    c, s = np.cos(turn), np.sin(turn)
    return np.stack([c * t1 + s * t2, c * t2 - s * t1, normal])
