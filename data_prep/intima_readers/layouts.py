"""The two CUBS sets, one Reader each: how their folders are recognised and which file belongs to which.

Facts: Meiburger et al., Ultrasound Med Biol 2021 (clinical, doi 10.17632/fpv535fss7.1) and Comput Biol Med 2022
(technical, doi 10.17632/m7ndn58sv6.1). A Reader lists files; it opens none of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from data_prep.intima_readers.roi import IMAGE_SUFFIXES, ExpertFiles, RoiRef, check_unique
from layerwise.errors import DataError

# Of CUBS' annotators the two whose mean is the consensus here. A1' (A1's second reading), A3 and the computed lines
# (Computerized-*) are not: A1 would count twice, A3 gives thicknesses only.
EXPERTS = ("Manual-A1", "Manual-A2")


@dataclass(frozen=True)
class Reader:
    """One public layout.

    looked_for: what makes it recognisable, for people. images, lines: its folders, beside CF. image_name: the pattern
    of an image's name; its group `subject` is the group_id. note: what must be known of its groups, or "".
    """

    name: str
    looked_for: str
    images: str
    lines: str
    image_name: re.Pattern[str]
    note: str = ""

    def locate(self, root: Path) -> Path | None:
        """The set's folder, `root` itself or one just below it."""
        for folder in (root, *sorted(path for path in root.iterdir() if path.is_dir())):
            if all(_subfolder(folder, name) for name in (self.images, "CF", self.lines)):
                return folder
        return None

    def recognise(self, root: Path) -> bool:
        return self.locate(root) is not None

    def index(self, root: Path) -> list[RoiRef]:
        """Regions in the order of their ids. Raises DataError if there is none, or two have one id."""
        folder = self.locate(root)
        if folder is None:
            raise DataError(f"{root} is not {self.name}: looked for {self.looked_for}.")
        images, factors, lines = (_subfolder(folder, name) for name in (self.images, "CF", self.lines))
        assert images is not None and factors is not None and lines is not None
        experts = [home for name in EXPERTS if (home := _subfolder(lines, name)) is not None]
        refs = []
        for path in sorted(images.iterdir()):
            match = self.image_name.fullmatch(path.stem)
            if match is None or path.suffix.lower() not in IMAGE_SUFFIXES:
                continue
            traced = [
                ExpertFiles(home.name, home / f"{path.stem}-LI.txt", home / f"{path.stem}-MA.txt")
                for home in experts
                if (home / f"{path.stem}-LI.txt").is_file() or (home / f"{path.stem}-MA.txt").is_file()
            ]
            if traced:  # an image that nobody traced has no truth
                rect = traced[0].li_path.parent / f"{path.stem}_rect.txt"
                factor = factors / f"{path.stem}_CF.txt"
                refs.append(RoiRef(path.stem, match["subject"], path, factor, rect, tuple(traced)))
        if not refs:
            raise DataError(
                f"{folder} looks like {self.name}, but no image in {images.name} has lines of {' or '.join(EXPERTS)} "
                f"in {lines.name} (<image>-LI.txt and <image>-MA.txt)."
            )
        check_unique(refs)
        return refs


def _subfolder(folder: Path, name: str) -> Path | None:
    """The folder of that name, in capitals or not."""
    if (folder / name).is_dir():
        return folder / name
    found = sorted(path for path in folder.iterdir() if path.is_dir() and path.name.lower() == name.lower())
    return found[0] if found else None


READERS = (
    Reader(
        name="CUBS clinical",
        looked_for="IMAGES/clin_0001_L.tiff, CF/clin_0001_L_CF.txt, SEGMENTATIONS/Manual-A1/clin_0001_L-LI.txt",
        images="IMAGES",
        lines="SEGMENTATIONS",
        # What may follow the side tells several images of it apart; CUBS has one each, the phantom more.
        image_name=re.compile(r"(?P<subject>clin_\d+)_[LR](?:_\d+)?"),
    ),
    Reader(
        name="CUBS technical",
        looked_for="images/tech_001.tiff, CF/tech_001_CF.txt, LIMA-Profiles/Manual-A1/tech_001-LI.txt",
        images="images",
        lines="LIMA-Profiles",
        image_name=re.compile(r"(?P<subject>tech_\d+)"),
        note="the set has no subject ids, so every image is its own group: a subject may be in train and in test",
    ),
)
