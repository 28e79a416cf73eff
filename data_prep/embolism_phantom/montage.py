"""A picture of the phantom, as docs/images/phantom_embolism.png:

    python -m data_prep.embolism_phantom.montage --out docs/images/phantom_embolism.png

Above four patients' axial slices; in the middle the same four from the front; below emboli, each with its outline.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from data_prep.embolism_patches import window
from data_prep.embolism_phantom.grid import Array
from data_prep.embolism_phantom.patient import Scan, scan_patient
from data_prep.embolism_phantom.write import DIFFICULTY, plan_patients
from layerwise.errors import exit_code_main

_TILE = (256, 204)  # width, height of a slice
_DETAIL_MM, _N_DETAILS = 36.0, 8
_HEIGHTS = (0.3, 0.55, 0.62, 0.85)  # of the slices shown, from the bottom of the volume


def montage(seed: int) -> Array:
    """(H, W, 3) uint8 BGR."""
    plans, _ = plan_patients(seed, "demo", DIFFICULTY)
    plans = sorted(plans, key=lambda plan: -len(plan.ease))[:4]
    scans = [scan_patient(plan) for plan in plans]
    axial = [_fit(scan.hu[int(at * len(scan.hu))], _TILE) for scan, at in zip(scans, _HEIGHTS, strict=True)]
    front = [_coronal(scan) for scan in scans]
    details = [tile for scan in scans for tile in _details(scan, _N_DETAILS // 4)]
    rows = [np.hstack(axial), np.hstack(front), np.hstack(details)]
    return np.vstack(rows)


def _fit(hu: Array, size: tuple[int, int]) -> Array:
    grey = cv2.resize(window(hu.astype(np.float32)), size, interpolation=cv2.INTER_LINEAR)
    return cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)


def _coronal(scan: Scan) -> Array:
    """The brightest of 10 mm from the front, at the depth of the pulmonary arteries."""
    middle = int(0.42 * scan.hu.shape[1])
    slab = scan.hu[::-1, middle : middle + round(10 / scan.spacing_mm[1])].max(axis=1)
    return _fit(slab, (_TILE[0], 128))


def _details(scan: Scan, n: int) -> list[Array]:
    """The n largest emboli in the axial slice that shows most of each, outlined in green."""
    tiles = []
    counts = np.bincount(scan.labels.ravel())
    for number in (np.argsort(-counts[1:], kind="stable") + 1)[:n]:
        z = int(np.argmax(np.sum(scan.labels == number, axis=(1, 2))))
        rows, columns = np.nonzero(scan.labels[z] == number)
        half = round(_DETAIL_MM / 2 / scan.spacing_mm[1])
        top = int(np.clip(rows.mean() - half, 0, scan.hu.shape[1] - 2 * half))
        left = int(np.clip(columns.mean() - half, 0, scan.hu.shape[2] - 2 * half))
        part = (z, slice(top, top + 2 * half), slice(left, left + 2 * half))
        side = _TILE[0] * 4 // _N_DETAILS
        tile = _fit(scan.hu[part], (side, side))
        mask = cv2.resize((scan.labels[part] == number).astype(np.uint8), (side, side), interpolation=cv2.INTER_NEAREST)
        outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(tile, outlines, -1, (60, 220, 60), 1)
        tiles.append(tile)
    return tiles


@exit_code_main
def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m data_prep.embolism_phantom.montage", description="Draw a montage.")
    parser.add_argument("--out", type=Path, required=True, help="the PNG to write")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    good, data = cv2.imencode(".png", montage(given.seed), (cv2.IMWRITE_PNG_COMPRESSION, 9))
    assert good, "OpenCV's PNG encoder refused an 8-bit image"
    given.out.write_bytes(data.tobytes())


if __name__ == "__main__":
    raise SystemExit(main())
