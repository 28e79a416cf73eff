"""One source image: copies of a shape, filled with a texture in the colours of a palette, over a foreign ground.

Shape, texture and palette are drawn independently out of 24 each, and the net is asked for all three, so it must learn
contours, textures and colours alike. Light, blur, noise and the colours of the ground vary and say nothing about them;
half of the grounds have the texture asked for. Several copies over a coloured ground follow Anderson and Farrell 2022,
"Improving fractal pre-training".
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from tools.source_images.camera import photograph, relief
from tools.source_images.palettes import palette_classes, recolour
from tools.source_images.shapes import shape_classes
from tools.source_images.textures import TEXTURES

PARTS = ("shape", "texture", "palette")
N_CLASSES = 24  # of each part
SHAPE_SIZE = 160  # pixels of a stored silhouette


@dataclass(frozen=True)
class Bank:
    """Parts drawn once and reused by every scene.

    opacities: (24, members, 160, 160) float32 in [0, 1]. tiles: (24, members, 256, 256) uint8 indices into a palette.
    palettes: (24, 256, 3) float32 BGR 0-255, the colour of each grey of a tile.
    """

    opacities: np.ndarray
    tiles: np.ndarray
    palettes: np.ndarray


def make_bank(seed: int, split: int, members: int) -> Bank:
    """Draw `members` silhouettes of each shape and tiles of each texture, and the palettes.

    The seed fixes the classes; the members are different ones in each split.
    """
    classes, rng = np.random.default_rng(seed), np.random.default_rng((seed, split))
    shapes, palettes = shape_classes(classes).values(), palette_classes(classes, N_CLASSES)
    opacities = [[shape.draw(rng, SHAPE_SIZE) for _ in range(members)] for shape in shapes]
    tiles = [[np.round(draw(rng) * 255).astype(np.uint8) for _ in range(members)] for draw in TEXTURES.values()]
    return Bank(np.array(opacities), np.array(tiles), palettes)


def draw_scene(bank: Bank, shape: int, texture: int, palette: int, rng: np.random.Generator, size: int) -> np.ndarray:
    """One image of three parts, each 0 to 23: (size, size, 3) uint8 BGR."""
    image = _surface(bank, texture, int(rng.integers(N_CLASSES)), rng, size)
    image += rng.uniform(0, 1) * (image.mean(2, keepdims=True) - image)  # a duller palette
    image = image.mean((0, 1)) + rng.uniform(0.4, 1.0) * (image - image.mean((0, 1)))
    for _ in range(rng.integers(1, 4)):
        member = bank.opacities[shape, rng.integers(bank.opacities.shape[1])]
        opacity = cv2.warpAffine(member, _placement(rng, SHAPE_SIZE, size), (size, size))[:, :, None]
        fill = _surface(bank, texture, palette, rng, size)
        if rng.random() < 0.5:  # chosen: half of the copies are flat, half are solid bodies
            fill *= relief(opacity[:, :, 0], rng)[:, :, None]
        image += opacity * (fill - image)
    return photograph(image, rng)


def _surface(bank: Bank, texture: int, palette: int, rng: np.random.Generator, size: int) -> np.ndarray:
    """A piece of a random tile of the texture, turned, scaled and coloured: (size, size, 3) float32 BGR."""
    tile = bank.tiles[texture, rng.integers(bank.tiles.shape[1])]
    side = tile.shape[0]
    turn = cv2.getRotationMatrix2D((side / 2, side / 2), rng.uniform(0, 360), rng.uniform(0.75, 1.4))
    turn[:, 2] += (size - side) / 2 + rng.uniform(-40, 40, 2)
    piece = np.asarray(cv2.warpAffine(tile, turn, (size, size), borderMode=cv2.BORDER_REFLECT_101), np.uint8)
    return recolour(bank.palettes[palette], rng)[piece]


def _placement(rng: np.random.Generator, side: int, size: int) -> np.ndarray:
    """Affine map of a silhouette into the image: 0.5 to 1.1 of its width, at any angle, mirrored or not, squeezed."""
    width = size * rng.uniform(0.5, 1.1) / side
    angle, squeeze = rng.uniform(0, 2 * np.pi), rng.uniform(0.75, 1.0)
    cos, sin = np.cos(angle), np.sin(angle)
    linear = width * np.array([[cos, -sin], [sin, cos]]) @ np.diag([rng.choice([-1.0, 1.0]), squeeze])
    centre = size * rng.uniform(0.3, 0.7, 2)
    return np.column_stack((linear, centre - linear @ np.array([side / 2, side / 2])))
