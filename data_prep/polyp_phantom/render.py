"""From a scene and a pose to light on the sensor: ray marching at half size, shading at full size.

Marching at half size and refining only where the depth breaks costs a quarter; shading, relief and masks are exact
at full size, since they are computed from each pixel's own ray.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from data_prep.polyp_phantom.fields import Array, f32, sample, smoothstep, value_noise
from data_prep.polyp_phantom.lumen import SHAPE, Wall, texel
from data_prep.polyp_phantom.mucosa import SkinMap
from data_prep.polyp_phantom.solids import Solid, smooth_union

FAR = 8.0  # chosen: light has fallen to 1/64 of that at one unit; beyond it all is dark
NEAR = 0.04


@dataclass(frozen=True)
class Pose:
    """Where the camera is. eye: (3,) world. axes: (3, 3) unit rows right, down, forward."""

    eye: Array
    axes: Array


@dataclass(frozen=True)
class Lens:
    """Directions of the pixels' rays in the camera's frame (right, down, forward) for those in view.

    full: (3, N) float32 and full_at: (N,) flat indices into (H, W). half: (3, M), half_at into (H/2, W/2).
    """

    size: tuple[int, int]
    full: Array
    full_at: Array
    half: Array
    half_at: Array


@dataclass(frozen=True)
class Light:
    """offsets: (L, 3) of the light guides in the camera's frame, units. ambient: share of light from all round."""

    offsets: Array
    ambient: float
    shine: float


@dataclass(frozen=True)
class Scene:
    wall: Wall
    skin: SkinMap
    solids: tuple[Solid, ...]
    patterns: Array  # (256, 256, 2) float32, periodic: colour and relief noise of the solids' own surface


def draw_patterns(rng: np.random.Generator) -> Array:
    size = (256, 256)
    speckle = value_noise(rng, size, (20, 20)) + 0.7 * value_noise(rng, size, (48, 48))
    return np.dstack([speckle, value_noise(rng, size, (36, 36)) + value_noise(rng, size, (10, 10))]).astype(np.float32)


def build_lens(view: Array, centre: tuple[float, float], pixels_per_radian: float) -> Lens:
    """An equidistant fisheye: the angle from the axis grows in proportion to the distance from `centre`.

    view: (H, W) bool, the pixels that the scope's border leaves free. centre: x, y in pixels.
    """
    height, width = view.shape

    def rays(mask: Array, step: int) -> tuple[Array, Array]:
        at = np.flatnonzero(mask)
        y, x = np.divmod(at, mask.shape[1])
        dx = ((x + 0.5) * step - centre[0]) / pixels_per_radian
        dy = ((y + 0.5) * step - centre[1]) / pixels_per_radian
        angle = np.hypot(dx, dy)
        spread = np.sinc(angle / np.pi)  # sin(angle) / angle
        return np.stack([dx * spread, dy * spread, np.cos(angle)]).astype(np.float32), at

    half = cv2.resize(view.astype(np.uint8), (width // 2, height // 2), interpolation=cv2.INTER_AREA) > 0
    full, full_at = rays(view, 1)
    half, half_at = rays(cv2.dilate(half.astype(np.uint8), np.ones((3, 3))) > 0, 2)
    return Lens((height, width), full, full_at, half, half_at)


def render(scene: Scene, lens: Lens, light: Light, pose: Pose) -> tuple[Array, Array, Array]:
    """Linear RGB (H, W, 3) float32; the solid each pixel shows, (H, W) int16, -1 the wall; distance, (H, W) float32."""
    height, width = lens.size
    axes = pose.axes.astype(np.float32)
    eye = pose.eye.astype(np.float32)
    half = axes.T @ lens.half
    solids = [s for s in scene.solids if _in_sight(s, pose)]

    t = _trace(scene.wall, solids, eye, half, np.full(half.shape[1], NEAR, np.float32), steps=40)

    coarse = np.full((height // 2, width // 2), FAR, np.float32)
    coarse.ravel()[lens.half_at] = t
    nearest = cv2.erode(coarse, np.ones((3, 3)))
    break_at = cv2.dilate(coarse, np.ones((3, 3))) - nearest > 0.12 * nearest + 0.02
    full_t = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    start = cv2.resize(nearest, (width, height), interpolation=cv2.INTER_NEAREST)
    broken = cv2.resize(break_at.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)

    rays = axes.T @ lens.full
    t = full_t.ravel()[lens.full_at]
    redo = np.flatnonzero(broken.ravel()[lens.full_at])
    if redo.size:
        first = np.maximum(start.ravel()[lens.full_at[redo]] * np.float32(0.985), NEAR)
        t[redo] = _trace(scene.wall, solids, eye, rays[:, redo], first, steps=14)

    colour, which = _shade(scene, solids, light, axes, eye, rays, t)
    image = np.zeros((height * width, 3), np.float32)
    image[lens.full_at] = colour
    label = np.full(height * width, -1, np.int16)
    label[lens.full_at] = which
    depth = np.full(height * width, FAR, np.float32)
    depth[lens.full_at] = t
    return image.reshape(height, width, 3), label.reshape(height, width), depth.reshape(height, width)


def _trace(wall: Wall, solids: Sequence[Solid], eye: Array, rays: Array, start: Array, steps: int) -> Array:
    """Distance (N,) along each ray (3, N) from `start` to what it meets first: the wall, or a solid grown out of it."""
    t = _march(wall.distance, eye, rays, start, steps)
    for solid in solids:
        hit, entry = _sphere_hits(solid, eye, rays)
        entry = np.maximum(entry, start[hit])
        before = entry < t[hit]
        hit, entry = hit[before], entry[before]
        if hit.size:

            def union(x: Array, y: Array, z: Array, solid: Solid = solid) -> Array:
                return smooth_union(wall.distance(x, y, z), solid.distance(x, y, z), solid.blend)

            t[hit] = np.minimum(t[hit], _march(union, eye, rays[:, hit], entry, steps=16))
    return t


Distance = Callable[[Array, Array, Array], Array]


def _march(distance: Distance, eye: Array, rays: Array, start: Array, steps: int) -> Array:
    """Distance along each ray to where `distance` falls to 0, FAR where it never does. rays: (3, N). (N,) float32.

    The wall's distance is measured across the tube and so may be too long near a fold: steps are damped, and one that
    went through is taken back. Rays leave the loop when they have arrived.
    """
    t = start.copy()
    active = np.arange(t.size)
    direction = rays
    for step in range(steps):
        s = t[active]
        d = distance(eye[0] + s * direction[0], eye[1] + s * direction[1], eye[2] + s * direction[2])
        # Damping eases with distance, where a missed detail would be too small and too dark to see.
        t[active] = np.minimum(s + np.clip((np.float32(0.62) + np.float32(0.08) * s) * d, -0.15, 0.9), FAR)
        if step % 4 == 3:
            going = (np.abs(d) > 0.003 * s + 0.001) & (s < FAR)
            active = active[going]
            direction = rays[:, active]
            if not active.size:
                break
    return t


def _sphere_hits(solid: Solid, eye: Array, rays: Array) -> tuple[Array, Array]:
    """Which rays meet the solid's bounding sphere, and where they enter it; (K,) indices and (K,) float32."""
    to = solid.origin.astype(np.float32) - eye
    clear = float(to @ to) - solid.reach**2
    along = to @ rays
    hit = np.flatnonzero(along >= np.sqrt(clear)) if clear > 0 else np.arange(along.size)
    half_chord = np.sqrt(np.maximum(along[hit] ** 2 - clear, 0))
    return hit, np.maximum(along[hit] - half_chord, NEAR).astype(np.float32)


def _in_sight(solid: Solid, pose: Pose) -> bool:
    to = solid.origin - pose.eye
    distance = float(np.linalg.norm(to))
    return distance < 28 * solid.reach and float(to @ pose.axes[2]) > -0.3 * distance - solid.reach


def _shade(
    scene: Scene, solids: Sequence[Solid], light: Light, axes: Array, eye: Array, rays: Array, t: Array
) -> tuple[Array, Array]:
    """Linear RGB (N, 3) and the index in scene.solids (N,) of what each ray shows, at distance t along it."""
    wall = scene.wall
    x, y, z = (eye[k] + t * rays[k] for k in range(3))
    rho, ux, uy, theta = wall.cylinder(x, y, z)
    row, column = texel(z, theta, SHAPE)
    surface = sample(wall.surface, column, row)
    albedo, wet, relief = scene.skin.look_up(z, theta)
    normal = _wall_normal(wall, z, rho, ux, uy, surface[:, :2] - relief)
    open_air = surface[:, 2]
    gloss = wet * np.float32(light.shine)
    which = np.full(t.size, -1, np.int16)

    for solid in solids:
        index = next(k for k, s in enumerate(scene.solids) if s is solid)
        near, entry = _sphere_hits(solid, eye, rays)
        near = near[entry < t[near] + np.float32(0.01)]
        if not near.size:
            continue
        p = (x[near], y[near], z[near])
        d_solid = solid.distance(*p)
        d_wall = sample(wall.radius, column[near], row[near]) - rho[near]
        rim = max(0.5 * solid.blend, 0.015)
        share = smoothstep(-rim, rim, d_wall - d_solid + np.float32(0.3 * rim))
        # A solid shades the wall round its foot, and its own underside.
        foot = np.clip(d_solid / np.float32(0.35 * solid.reach), 0, 1) * np.float32(0.4) + np.float32(0.6)
        open_air[near] *= foot
        own = np.flatnonzero(share > 0)
        if not own.size:
            continue
        near, share = near[own], share[own]
        skin, bent = _solid_skin(scene, solid, (p[0][own], p[1][own], p[2][own]))
        normal[:, near] += share * (bent - normal[:, near])
        albedo[near] += share[:, None] * (skin - albedo[near])
        gloss[near] += share * (np.float32(solid.gloss * light.shine) - gloss[near])
        raised = np.clip(0.55 + d_wall[own] / np.float32(0.6 * solid.reach), 0, 0.85)
        open_air[near] += share * (raised - open_air[near])
        which[near[share > 0.5]] = index

    normal /= np.sqrt((normal * normal).sum(axis=0))
    return _illuminate(light, axes, rays, t, normal, albedo, gloss, np.clip(open_air, 0.15, 1)), which


def _illuminate(
    light: Light, axes: Array, rays: Array, t: Array, normal: Array, albedo: Array, gloss: Array, open_air: Array
) -> Array:
    """Linear RGB (N, 3) of surface points at distance t along `rays`, lit from beside the lens.

    The lamps are so near to the eye that the half-way vector is the reversed ray plus half the lamp's angle.
    """
    head_on = -(normal * rays).sum(axis=0)
    fall_off = 1 / (t * t + np.float32(0.02))
    facing = np.zeros_like(t)
    spark = np.zeros_like(t)
    share = np.float32(1 / len(light.offsets))
    for offset in light.offsets.astype(np.float32) @ axes:
        side = (offset @ normal + (offset @ rays) * head_on) / t
        facing += share * (head_on + side)
        mirror = (head_on + np.float32(0.5) * side) / np.sqrt(1 + np.float32(0.25 * offset @ offset) / (t * t))
        spark += share * smoothstep(0.982, 0.9985, mirror)
    lit = fall_off * np.maximum((facing + np.float32(0.45)) / np.float32(1.45), 0)
    lit *= np.float32(0.3) + np.float32(0.7) * open_air
    around = np.float32(light.ambient) * open_air / (np.float32(0.3) + t) ** 2
    # Light that went from wall to wall has been coloured by it twice: shadows in a colon are red, not grey.
    colour = albedo * (lit[:, None] + albedo * around[:, None])
    colour[:, 1] /= 1 + np.float32(0.16) * t
    colour[:, 2] /= 1 + np.float32(0.21) * t
    spark *= gloss * np.minimum(fall_off, 6)
    return colour + spark[:, None] * f32([1.0, 0.97, 0.94])


def _wall_normal(wall: Wall, z: Array, rho: Array, ux: Array, uy: Array, slope: Array) -> Array:
    """Unit normals (3, N) into the lumen: the gradient of radius(z, theta) - rho along the bent centre line."""
    sx, sy = wall.bend.slope(z)
    round_ = slope[:, 1] / rho
    normal = np.stack(
        [-ux - uy * round_, -uy + ux * round_, slope[:, 0] + ux * sx + uy * sy - round_ * (ux * sy - uy * sx)]
    )
    normal /= np.sqrt((normal * normal).sum(axis=0))
    return normal


def _solid_skin(scene: Scene, solid: Solid, p: tuple[Array, Array, Array]) -> tuple[Array, Array]:
    """A solid's albedo (N, 3) and unit normals (3, N) at points p."""
    h = np.float32(0.02 * solid.reach + 0.002)
    corners = f32([[1, -1, -1], [-1, -1, 1], [-1, 1, -1], [1, 1, 1]])
    normal = np.zeros((3, p[0].size), np.float32)
    for c in corners:
        d = solid.distance(p[0] + h * c[0], p[1] + h * c[1], p[2] + h * c[2])
        normal += c[:, None] * d
    u, v, w = solid.local(*p)
    scale = np.float32(110.0)  # chosen: about as fine as the mucosa's own grain
    found = sample(scene.patterns, (u + np.float32(0.7) * w) * scale, (v - np.float32(0.6) * w) * scale)
    normal /= np.maximum(np.sqrt((normal * normal).sum(axis=0)), 1e-6)
    normal += np.float32(0.09) * found[:, 1] * (solid.axes[0].astype(np.float32)[:, None] + np.roll(normal, 1, axis=0))
    normal /= np.sqrt((normal * normal).sum(axis=0))
    tone = found[:, :1] * f32([0.35, 1.0, 0.9]) * np.float32(solid.pattern)
    return np.clip(solid.tint * (1 + tone), 0.01, 1.0), normal
