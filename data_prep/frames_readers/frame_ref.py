"""One row of a set's index, and what a reader of such a set is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from data_prep.polyp_readers.frame_ref import IMAGE_SUFFIXES
from layerwise.errors import DataError


@dataclass(frozen=True)
class FrameRef:
    """Where one frame lies and what it is; nothing is decoded yet.

    informative: its label. kind: the set's own word for it (a class, a score). group_id: the video or patient; "" where
    the set does not say. native_split: "train" or "test" where the set's own publisher fixed it, else "".
    """

    frame_id: str
    group_id: str
    image_path: Path
    informative: bool
    kind: str
    native_split: str = ""


@dataclass(frozen=True)
class Reader:
    """One layout.

    looked_for: what makes it recognisable, for people. locate: the set's folder at or just below `root`, or None.
    index_folder: every frame of that folder, in a stable order. note: what the labels do not mean, "" if they mean it.
    """

    name: str
    looked_for: str
    locate: Callable[[Path], Path | None]
    index_folder: Callable[[Path], list[FrameRef]]
    note: str = ""

    def index(self, root: Path) -> list[FrameRef]:
        """Frames in natural order. DataError if there is none, two have one frame_id, or only some have a group."""
        folder = self.locate(root)
        if folder is None:
            raise DataError(f"{root} is not {self.name}: looked for {self.looked_for}.")
        refs = self.index_folder(folder)
        if not refs:
            raise DataError(f"{folder} looks like {self.name}, but no frame was found in it.")
        seen: dict[str, Path] = {}
        for ref in refs:
            if (other := seen.setdefault(ref.frame_id, ref.image_path)) is not ref.image_path:
                raise DataError(f"{ref.image_path} and {other} are both frame {ref.frame_id}. Keep one of them.")
        without = [ref for ref in refs if not ref.group_id]
        if without and len(without) < len(refs):
            raise DataError(
                f"{without[0].image_path}: its video is not known, as for {len(without) - 1} more of {len(refs)} "
                f"frames, while the others' is. In {self.name} that means {self.looked_for}. Give every frame its "
                "video, or none."
            )
        return refs


def images(folder: Path) -> list[Path]:
    """The images in a folder itself, in natural order; hidden files are left out."""
    found = (path for path in listing(folder) if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file())
    return in_order(found)


def folders(folder: Path) -> list[Path]:
    return in_order(path for path in listing(folder) if path.is_dir())


def listing(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if not path.name.startswith(".")] if folder.is_dir() else []


def in_order(paths: Iterable[Path]) -> list[Path]:
    """By name, 2 before 10."""
    return sorted(paths, key=lambda path: natural(path.name))


def natural(text: str) -> list[tuple[int, int, str]]:
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", text)]
