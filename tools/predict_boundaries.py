"""What `tools.predict` does where the result is a pair of lines: maps of the test regions, then both boundaries.

Leaves boundaries.csv, the maps of every test region as maps/<roi_id>.npz, and deploy_conv.prototxt in the run folder.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from recaffe.proto import text
from recaffe.proto.files import read_net

from data_prep.intima_maps import MapGrid, region_grid, region_pixels
from data_prep.intima_rois import LINE_COLUMNS, PlannedRoi, line_rows, read_rois
from eval.intima_segmentation import segment
from layerwise.engine import Engine
from layerwise.errors import DataError
from layerwise.files import atomic_path, write_csv, write_text
from layerwise.net_surgery import ConvolutionalNet, fully_convolutional
from layerwise.nets import MEAN_BGR
from layerwise.run_folder import RunFolder

LUMEN_INTIMA, MEDIA_ADVENTITIA = 1, 2


def predict_boundaries(engine: Engine, device: str, folder: RunFolder, dataset: Path) -> int:
    """Map the test regions with the run's best snapshot and write boundaries.csv; returns how many there are."""
    made = fully_convolutional(read_net(folder.deploy_prototxt))
    convolutional = folder.path / "deploy_conv.prototxt"
    write_text(convolutional, conv_header(folder.deploy_prototxt.name) + text.format(made.net))
    rois = [roi for roi in read_rois(dataset / "rois") if roi.split == "test"]
    grids = [region_grid(roi, made.context_size, made.stride) for roi in rois]
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix=".maps-", dir=folder.path) as scratch:
        job = {
            "deploy": str(folder.deploy_prototxt),
            "convolutional": str(convolutional),
            "weights": str(folder.best_caffemodel),
            "mean_bgr": MEAN_BGR,
            "device": engine.device(device),
            **maps_job(made, rois, grids, Path(scratch)),
        }

        def on_event(event: dict[str, Any]) -> None:
            if event["event"] == "maps":
                index = event["index"]
                roi, grid = rois[index], grids[index]
                maps = np.load(job["regions"][index]["maps"])
                save_maps(folder.path / "maps" / f"{roi.roi_id}.npz", maps, grid)
                rows.extend(found_lines(roi, grid, maps))

        engine.run("maps", job, on_event, folder.path / "predict.log")
    write_csv(boundaries_csv(folder), LINE_COLUMNS, rows)
    return len(rois)


def boundaries_csv(folder: RunFolder) -> Path:
    return folder.path / "boundaries.csv"


def maps_job(
    made: ConvolutionalNet, rois: Sequence[PlannedRoi], grids: Sequence[MapGrid], scratch: Path
) -> dict[str, Any]:
    """The part of a worker's `maps` job that says what is mapped; writes every region's pixels to `scratch`."""
    regions = []
    for number, (roi, grid) in enumerate(zip(rois, grids, strict=True)):
        pixels = scratch / f"pixels-{number}.npy"
        np.save(pixels, region_pixels(roi, grid, made.context_size))
        regions.append({"pixels": str(pixels), "maps": str(scratch / f"maps-{number}.npy")})
    return {
        "renamed": made.renamed,
        "context_size": made.context_size,
        "stride": made.stride,
        "regions": regions,
    }


def found_lines(roi: PlannedRoi, grid: MapGrid, maps: np.ndarray) -> list[dict[str, Any]]:
    """Rows of boundaries.csv of one region, one per column of the experts' lines. maps: (3, H, W) of the grid.

    DataError for a region that is too low.
    """
    height, width = grid.shape
    li_map, ma_map = maps[LUMEN_INTIMA, :height, :width], maps[MEDIA_ADVENTITIA, :height, :width]
    try:
        lines = segment(li_map, ma_map)
    except ValueError as error:
        raise DataError(f"{roi.roi_id}: {error}") from error
    li, ma = (grid.on_columns(line, roi.columns_px) for line in lines)
    return list(line_rows(roi.roi_id, roi.columns_px, li, ma))


def save_maps(path: Path, maps: np.ndarray, grid: MapGrid) -> None:
    """maps: (3, h, w) float16, P of background, LI and MA; rows_px, columns_px: where they lie in the image."""
    height, width = grid.shape
    with atomic_path(path) as partial, partial.open("wb") as handle:
        np.savez_compressed(
            handle,
            maps=maps[:, :height, :width].astype(np.float16),
            rows_px=grid.rows_px,
            columns_px=grid.columns_px,
        )


def conv_header(deploy: str) -> str:
    return f"# Net surgery of {deploy}: fully connected layers as convolutions; any region may come in.\n"
