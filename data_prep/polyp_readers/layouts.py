"""The public polyp sets, one Reader each: how their folders are recognised and which file belongs to which.

Facts of the layouts: the sets' own pages and the tools that read them. A Reader lists files; it opens none of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from data_prep.polyp_readers.frame_ref import IMAGE_SUFFIXES, FrameRef
from layerwise.errors import DataError


@dataclass(frozen=True)
class Reader:
    """One public layout.

    looked_for: what makes it recognisable, for people. locate: the folder of the set at or just below `root`, or None.
    index_folder: every frame of that folder, in a stable order.
    """

    name: str
    looked_for: str
    locate: Callable[[Path], Path | None]
    index_folder: Callable[[Path], list[FrameRef]]

    def recognise(self, root: Path) -> bool:
        return self.locate(root) is not None

    def index(self, root: Path) -> list[FrameRef]:
        """Frames in natural order. Raises DataError if there is none, or two have one frame_id."""
        folder = self.locate(root)
        if folder is None:
            raise DataError(f"{root} is not {self.name}: looked for {self.looked_for}.")
        refs = self.index_folder(folder)
        if not refs:
            raise DataError(f"{folder} looks like {self.name}, but no frame with its truth was found in it.")
        seen: dict[str, Path] = {}
        for ref in refs:
            if (other := seen.setdefault(ref.frame_id, ref.image_path)) is not ref.image_path:
                raise DataError(f"{ref.image_path} and {other} are both frame {ref.frame_id}. Keep one of them.")
        return refs


# CVC-ClinicVideoDB (GIANA): <v>/<v>_<k>.png beside <v>_<k>_mask.png, or all masks in one folder `Masks`.

VIDEO_DB_FOLDER = "CVC-VideoClinicDBtrain_valid"
_VIDEO_FRAME = re.compile(r"(?P<video>[^_]+)_(?P<frame>\d+)")


def _locate_video_db(root: Path) -> Path | None:
    for folder in (root, root / VIDEO_DB_FOLDER):
        if next(_video_db_masks(folder), None) is not None:
            return folder
    return None


def _video_db_masks(folder: Path) -> Iterator[Path]:
    flat = _subfolder(folder, "masks")
    if flat is not None:
        return (path for path in _images(flat) if _VIDEO_FRAME.match(path.stem))
    return (path for video in _folders(folder) for path in _images(video) if path.stem.endswith("_mask"))


def _index_video_db(folder: Path) -> list[FrameRef]:
    masks = {path.stem.removesuffix("_mask"): path for path in _video_db_masks(folder)}
    flat = _subfolder(folder, "masks")
    refs = []
    for place in [folder, *(sub for sub in _folders(folder) if sub != flat)]:
        for path in _images(place):
            match = _VIDEO_FRAME.fullmatch(path.stem)
            if match:
                mask = masks.get(path.stem) or (flat or place) / f"{path.stem}_mask{path.suffix}"
                refs.append(FrameRef(path.stem, match["video"], path, mask_path=mask))
    return sorted(refs, key=lambda ref: _natural(ref.frame_id))


# ASU-Mayo, as MICCAI-VPS repacks it: Frame/<video>/<k> and GT/<video>/<k>, or <video>/Frame/<k> and <video>/GT/<k>.


def _frame_folders(root: Path) -> Iterator[Path]:
    """Folders `Frame` that have a `GT` beside them, at most four levels below root."""
    for depth in range(5):
        for path in sorted(root.glob("/".join(["*"] * depth + ["Frame"]))):
            if path.is_dir() and (path.parent / "GT").is_dir():
                yield path


def _locate_vps(root: Path) -> Path | None:
    return root if next(_frame_folders(root), None) is not None else None


def _index_vps(root: Path) -> list[FrameRef]:
    refs = []
    for frames in _frame_folders(root):
        truth = frames.parent / "GT"
        place = frames.parent.relative_to(root).parts
        native = "test" if any(part.startswith("VPS-TestSet") for part in frames.parts[-5:]) else ""
        for folder in [frames, *_folders(frames)]:
            below = folder.relative_to(frames)
            masks = {path.stem: path for path in _images(truth / below)}
            video = "/".join((*place, *below.parts)) or root.name
            for path in _images(folder):
                mask = masks.get(path.stem) or truth / below / f"{path.stem}.png"
                refs.append(FrameRef(f"{video}/{path.stem}", video, path, mask_path=mask, native_split=native))
    return refs


# CVC-ClinicDB: Original/<k>.tif and "Ground Truth"/<k>.tif, k = 1 to 612; mirrors keep PNG/ and TIF/ copies.

# First frame of each of the 29 sequences (612 frames, 384x288); a sequence ends where the next begins.
CLINIC_DB_SEQUENCE_STARTS = (1, 26, 51, 68, 79, 104, 127, 152, 178, 200, 206, 228, 253, 278, 298)
CLINIC_DB_SEQUENCE_STARTS += (318, 343, 364, 384, 409, 430, 448, 467, 479, 504, 529, 547, 572, 592)
CLINIC_DB_FRAMES = 612


def clinic_db_sequence(number: int) -> int:
    """The sequence, 1 to 29, of frame `number`, 1 to 612."""
    return sum(start <= number for start in CLINIC_DB_SEQUENCE_STARTS)


def _locate_clinic_db(root: Path) -> Path | None:
    for below in (".", "PNG", "TIF", "CVC-ClinicDB", "CVC-ClinicDB/PNG", "CVC-ClinicDB/TIF"):
        if (root / below / "Original").is_dir() and (root / below / "Ground Truth").is_dir():
            return root / below
    return None


def _index_clinic_db(folder: Path) -> list[FrameRef]:
    refs = []
    for number, image, mask in _numbered_pairs(folder / "Original", folder / "Ground Truth", ""):
        if not 1 <= number <= CLINIC_DB_FRAMES:
            raise DataError(
                f"{image}: CVC-ClinicDB has frames 1 to {CLINIC_DB_FRAMES}, so this one's sequence is not known, and "
                "without it train and test could share a polyp. Take the file out."
            )
        refs.append(FrameRef(str(number), f"sequence-{clinic_db_sequence(number):02d}", image, mask_path=mask))
    return refs


# ETIS-Larib: <k>.tif in one folder, masks p<k>.tif in "Ground Truth"; mirrors: images/ and masks/ of one numbering.


def _etis_folders(folder: Path) -> tuple[Path, Path] | None:
    truth = _subfolder(folder, "ground truth") or _subfolder(folder, "masks")
    images = _subfolder(folder, "etis-laribpolypdb") or _subfolder(folder, "images")
    return (images, truth) if images and truth and "etis" in f"{folder.name} {images.name}".lower() else None


def _locate_etis(root: Path) -> Path | None:
    folders = (root, root / "ETIS-LaribPolypDB", root / "ETIS-Larib")
    return next((folder for folder in folders if _etis_folders(folder)), None)


def _index_etis(folder: Path) -> list[FrameRef]:
    folders = _etis_folders(folder)
    assert folders is not None
    return [
        # The archive does not say which image belongs to which of its 34 sequences: it can be tested on, not split.
        FrameRef(str(number), f"image-{number:03d}", image, mask_path=mask, native_split="test")
        for number, image, mask in _numbered_pairs(*folders, "p")
    ]


# LDPolypVideo: TrainValid/Images/<v>/<k>.jpg and TrainValid/Annotations/<v>/<k>.txt (videos 1 to 100), Test/ likewise.

_LD_SPLITS = {"TrainValid": "train", "Train": "train", "Test": "test"}


def _locate_ld(root: Path) -> Path | None:
    for folder in (root, root / "LDPolypVideo"):
        if any((folder / part / "Images").is_dir() and (folder / part / "Annotations").is_dir() for part in _LD_SPLITS):
            return folder
    return None


def _index_ld(folder: Path) -> list[FrameRef]:
    return [
        FrameRef(
            f"{video.name}/{path.stem}",
            video.name,
            path,
            boxes_path=folder / part / "Annotations" / video.name / f"{path.stem}.txt",
            native_split=split,
        )
        for part, split in _LD_SPLITS.items()
        for video in _folders(folder / part / "Images")
        for path in _images(video)
    ]


def _numbered_pairs(images: Path, masks: Path, prefix: str) -> Iterator[tuple[int, Path, Path]]:
    """(k, image <k>, mask <prefix><k> or <k>) in the order of k; a mask that is not there is named as expected."""
    by_number = {path.stem.removeprefix(prefix): path for path in _images(masks)}
    for path in _images(images):
        if not path.stem.isdecimal():
            raise DataError(f"{path}: expected images numbered 1, 2, 3, ... Take the file out.")
        yield int(path.stem), path, by_number.get(path.stem) or masks / f"{prefix}{path.name}"


def _subfolder(folder: Path, name: str) -> Path | None:
    """The subfolder of that name in any case of letters."""
    return next((path for path in _folders(folder) if path.name.lower() == name), None)


def _folders(folder: Path) -> list[Path]:
    return _sorted(path for path in _listing(folder) if path.is_dir())


def _images(folder: Path) -> list[Path]:
    return _sorted(path for path in _listing(folder) if path.suffix.lower() in IMAGE_SUFFIXES)


def _listing(folder: Path) -> Iterator[Path]:
    return (path for path in folder.iterdir() if not path.name.startswith(".")) if folder.is_dir() else iter(())


def _sorted(paths: Iterator[Path]) -> list[Path]:
    return sorted(paths, key=lambda path: _natural(path.name))


def _natural(text: str) -> list[tuple[int, int, str]]:
    """Sorts 2 before 10."""
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", text)]


READERS = (
    Reader(
        "CVC-ClinicVideoDB",
        f"{VIDEO_DB_FOLDER}/<v>/<v>_<k>.png with <v>_<k>_mask.png beside it or in Masks/",
        _locate_video_db,
        _index_video_db,
    ),
    Reader(
        "LDPolypVideo",
        "TrainValid/Images/<v>/<k>.jpg with TrainValid/Annotations/<v>/<k>.txt, and Test/ likewise",
        _locate_ld,
        _index_ld,
    ),
    Reader(
        "ASU-Mayo (MICCAI-VPS layout)",
        "Frame/<video>/ beside GT/<video>/, or <video>/Frame beside <video>/GT, up to four folders down",
        _locate_vps,
        _index_vps,
    ),
    Reader(
        "CVC-ClinicDB",
        "Original/<k>.tif and Ground Truth/<k>.tif, at the top or in PNG/ or TIF/",
        _locate_clinic_db,
        _index_clinic_db,
    ),
    Reader(
        "ETIS-Larib",
        "ETIS-LaribPolypDB/<k>.tif and Ground Truth/p<k>.tif, or ETIS-LaribPolypDB/images and masks",
        _locate_etis,
        _index_etis,
    ),
)
