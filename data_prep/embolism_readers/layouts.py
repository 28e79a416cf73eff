"""The public sets, one Reader each: how their folders are recognised and which mask belongs to which volume.

Facts of the layouts: the sets' own pages and the tools that read them. A Reader lists files; it opens none of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from data_prep.embolism_readers.dicom_series import natural_name
from data_prep.embolism_readers.volume import VOLUME_SUFFIXES, VolumeRef, volume_stem
from layerwise.errors import DataError


@dataclass(frozen=True)
class Reader:
    """One public layout.

    looked_for: what makes it recognisable, for people. locate: the folder of the set at or just below `root`, or None.
    index_folder: every volume of that folder, in a stable order.
    """

    name: str
    looked_for: str
    locate: Callable[[Path], Path | None]
    index_folder: Callable[[Path], list[VolumeRef]]

    def index(self, root: Path) -> list[VolumeRef]:
        """Volumes in natural order. Raises DataError if there is none, one lacks its mask, or two have one id."""
        folder = self.locate(root)
        if folder is None:
            raise DataError(f"{root} is not {self.name}: looked for {self.looked_for}.")
        refs = self.index_folder(folder)
        if not refs:
            raise DataError(f"{folder} looks like {self.name}, but no volume was found in it.")
        seen: dict[str, Path] = {}
        for ref in refs:
            if (other := seen.setdefault(ref.volume_id, ref.image_path)) is not ref.image_path:
                raise DataError(f"{ref.image_path} and {other} are both volume {ref.volume_id}. Keep one of them.")
        return refs


# FUMPE: CT_scans/PAT001/*.dcm and GroundTruth/PAT001.mat. Its masks are (row, column, slice), and their slices follow
# the names of the DICOM files, which in some patients run against the positions.


def _locate_fumpe(root: Path) -> Path | None:
    for folder in _here_and_below(root):
        if (folder / "CT_scans").is_dir() and (folder / "GroundTruth").is_dir():
            return folder
    return None


def _index_fumpe(folder: Path) -> list[VolumeRef]:
    masks = {path.stem.lower(): path for path in (folder / "GroundTruth").iterdir() if path.suffix.lower() == ".mat"}
    refs = []
    for scan in sorted((path for path in (folder / "CT_scans").iterdir() if path.is_dir()), key=natural_name):
        mask = masks.get(scan.name.lower()) or folder / "GroundTruth" / f"{scan.name}.mat"
        refs.append(VolumeRef(scan.name, scan.name, scan, mask))
    return refs


# CAD-PE: images/001.nrrd and rs/0001RefStd.nrrd (also image/ and label/, as its users unpack it). The numbers of a
# pair may have different numbers of digits; the evaluation part's names begin with a letter (e0032).

_REFERENCE = re.compile(r"(?P<case>.+?)[-_ ]?RefStd", re.IGNORECASE)


def _locate_cad_pe(root: Path) -> Path | None:
    for folder in _here_and_below(root):
        images, references = _cad_pe_folders(folder)
        if images is not None and references is not None and _references(references):
            return folder
    return None


def _cad_pe_folders(folder: Path) -> tuple[Path | None, Path | None]:
    names = {path.name.lower(): path for path in folder.iterdir() if path.is_dir()}
    images = next((names[name] for name in ("images", "image") if name in names), None)
    return images, next((names[name] for name in ("rs", "label", "labels") if name in names), None)


def _references(folder: Path) -> dict[str, Path]:
    """Case -> mask; the case without the zeros that its number begins with."""
    found = {}
    for path in sorted(folder.iterdir()):
        match = _REFERENCE.fullmatch(volume_stem(path))
        if match and path.name.lower().endswith(VOLUME_SUFFIXES):
            found[_case(match["case"])] = path
    return found


def _case(name: str) -> str:
    return re.sub(r"\d+", lambda number: str(int(number[0])), name.lower())


def _index_cad_pe(folder: Path) -> list[VolumeRef]:
    images, references = _cad_pe_folders(folder)
    assert images is not None and references is not None
    masks = _references(references)
    refs = []
    for path in sorted(images.iterdir(), key=natural_name):
        if path.name.lower().endswith(VOLUME_SUFFIXES):
            name = volume_stem(path)
            refs.append(VolumeRef(name, name, path, masks.get(_case(name)) or references / f"{name}RefStd.nrrd"))
    return refs


# Folders of one's own: <patient>/image.<ext> and <patient>/mask.<ext>, or <patient>/image/*.dcm; any format above.


def _locate_plain(root: Path) -> Path | None:
    return root if any(_plain_pair(path) for path in root.iterdir() if path.is_dir()) else None


def _plain_pair(folder: Path) -> tuple[Path, Path] | None:
    named = {volume_stem(path).lower(): path for path in sorted(folder.iterdir(), reverse=True)}
    return (named["image"], named["mask"]) if "image" in named and "mask" in named else None


def _index_plain(folder: Path) -> list[VolumeRef]:
    refs = []
    for patient in sorted((path for path in folder.iterdir() if path.is_dir()), key=natural_name):
        pair = _plain_pair(patient)
        if pair is None and any(volume_stem(path).lower() == "image" for path in patient.iterdir()):
            raise DataError(f"{patient} has an image and no mask. Add one; a mask of zeros says: no embolus.")
        if pair is not None:
            refs.append(VolumeRef(patient.name, patient.name, *pair))
    return refs


def _here_and_below(root: Path) -> list[Path]:
    return [root, *sorted(path for path in root.iterdir() if path.is_dir())]


READERS = (
    Reader("FUMPE", "CT_scans/PAT001/*.dcm with GroundTruth/PAT001.mat", _locate_fumpe, _index_fumpe),
    Reader("CAD-PE", "images/001.nrrd with rs/0001RefStd.nrrd", _locate_cad_pe, _index_cad_pe),
    Reader("folders", "<patient>/image.<ext> (or image/*.dcm) with <patient>/mask.<ext>", _locate_plain, _index_plain),
)
