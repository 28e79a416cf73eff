"""Whether a folder already is the phantom that is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from layerwise.errors import DataError
from layerwise.files import read_json

RECORD = "phantom.json"


def holds_phantom(root: Path, record: dict[str, Any]) -> bool:
    """True if `root` already is the phantom that `record` asks for; DataError if it is anything else but empty."""
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return False
    if not root.is_dir():
        raise DataError(f"{root}: is a file; the phantom needs a folder. Give another --out")
    if not (root / RECORD).is_file():
        raise DataError(
            f"{root}: is not empty and has no {RECORD}, so it is no phantom. Give another --out or empty it"
        )
    try:
        found = read_json(root / RECORD)
    except ValueError as error:
        raise DataError(f"{root / RECORD}: is not JSON ({error}). Delete {root} and run again") from error
    for key, wanted in record.items():
        if not isinstance(found, dict) or found.get(key) != wanted:
            have = found.get(key) if isinstance(found, dict) else found
            raise DataError(
                f"{root}: holds another phantom: {key} is {have!r}, asked for {wanted!r}. Give another --out"
            )
    return True
