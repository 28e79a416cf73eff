"""NBI-InfFrames, Nerthus and HyperKvasir: which folder means what.

Facts of the layouts: the sets' own pages. A Reader lists files; it opens none of them.
"""

from __future__ import annotations

import re
from pathlib import Path

from data_prep.frames_readers.frame_ref import FrameRef, Reader, folders, images
from layerwise.errors import DataError

# NBI-InfFrames: FRAMES/Fold1..3/{I,B,S,U}/*.png; no patient is in two folds. Of the larynx, not the colon.

NBI_CLASSES = {"I": "informative", "B": "blurred", "S": "saliva or specular", "U": "under-exposed"}
_FOLD = re.compile(r"fold[ _-]?(\w+)", re.IGNORECASE)


def _locate_nbi(root: Path) -> Path | None:
    for folder in (root, root / "FRAMES", root / "NBI-InfFrames", root / "NBI-InfFrames" / "FRAMES"):
        if any(_FOLD.fullmatch(fold.name) and _classes(fold) for fold in folders(folder)):
            return folder
    return None


def _classes(fold: Path) -> dict[str, Path]:
    return {path.name.upper(): path for path in folders(fold) if path.name.upper() in NBI_CLASSES}


def _index_nbi(folder: Path) -> list[FrameRef]:
    return [
        FrameRef(f"{fold.name}/{name}/{path.stem}", fold.name, path, name == "I", NBI_CLASSES[name])
        for fold in folders(folder)
        if _FOLD.fullmatch(fold.name)
        for name, home in sorted(_classes(fold).items())
        for path in images(home)
    ]


# Nerthus: nerthus-dataset-frames/{0,1,2,3}/bowel_<video>_score_<score>-<part>_<frame>.jpg; the score is the BBPS'.

BBPS_NOTE = (
    "labels are bowel preparation scores: they measure how clean the bowel is, not blur or wall contact. A curve from "
    "this set is about cleansing"
)
_BBPS_SCORES = ("0", "1", "2", "3")
_NERTHUS_FRAME = re.compile(r"bowel_(?P<video>\d+)(?:_score_(?P<score>\d))?\D.*", re.IGNORECASE)


def _locate_nerthus(root: Path) -> Path | None:
    for folder in (root / "nerthus-dataset-frames", root):
        if sum((folder / score).is_dir() for score in _BBPS_SCORES) >= 2:
            return folder
    return None


def _index_nerthus(folder: Path) -> list[FrameRef]:
    refs = []
    for score in _BBPS_SCORES:
        for path in images(folder / score):
            match = _NERTHUS_FRAME.fullmatch(path.name)
            if match and match["score"] not in (None, score):
                raise DataError(
                    f"{path}: its name says score {match['score']}, its folder {score}. Move it to where it belongs."
                )
            video = f"bowel_{match['video']}" if match else ""
            refs.append(FrameRef(f"{score}/{path.stem}", video, path, int(score) >= 2, f"BBPS {score}"))
    return refs


# HyperKvasir: labeled-images/lower-gi-tract/quality-of-mucosal-views/<class>/*.jpg; nothing says whose image it is.

HYPER_KVASIR_CLASSES = {"bbps-2-3": True, "bbps-0-1": False, "impacted-stool": False}
_VIEWS = Path("lower-gi-tract", "quality-of-mucosal-views")


def _locate_hyper_kvasir(root: Path) -> Path | None:
    above = (root, root / "labeled-images", root / "hyper-kvasir-labeled-images", root / "hyper-kvasir/labeled-images")
    candidates = [root, root / _VIEWS.name, *(folder / _VIEWS for folder in above)]
    return next((folder for folder in candidates if (folder / "bbps-2-3").is_dir()), None)


def _index_hyper_kvasir(folder: Path) -> list[FrameRef]:
    return [
        FrameRef(f"{name}/{path.stem}", "", path, informative, name)
        for name, informative in HYPER_KVASIR_CLASSES.items()
        for path in images(folder / name)
    ]


NBI_INF_FRAMES = Reader(
    "NBI-InfFrames",
    "FRAMES/Fold<k>/I, B, S and U with images, the fold standing for its patients",
    _locate_nbi,
    _index_nbi,
)
NERTHUS = Reader(
    "Nerthus",
    "nerthus-dataset-frames/0 to 3 with bowel_<video>_score_<score>-<part>_<frame>.jpg",
    _locate_nerthus,
    _index_nerthus,
    BBPS_NOTE,
)
HYPER_KVASIR = Reader(
    "HyperKvasir",
    "labeled-images/lower-gi-tract/quality-of-mucosal-views/ with bbps-2-3, bbps-0-1 and impacted-stool",
    _locate_hyper_kvasir,
    _index_hyper_kvasir,
    BBPS_NOTE,
)
