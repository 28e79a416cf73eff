"""What a database was made from and what is in it: manifest.json, the hashes, and whether it is up to date."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from layerwise.errors import DataError
from layerwise.files import file_digest, read_json

MANIFEST = "manifest.json"


def listing_sha256(root: Path, files: Iterable[Path]) -> str:
    """A quick mark of the source's state: name, size and time of change of every file, without reading any.

    It decides whether to build again. A copy of the files has other times and is built again, to the same content.
    """
    digest = hashlib.sha256()
    for path in sorted(set(files)):
        try:
            state = path.stat()
            line = f"{path.relative_to(root).as_posix()}\t{state.st_size}\t{state.st_mtime_ns}\n"
        except FileNotFoundError:
            line = f"{path.relative_to(root).as_posix()}\tmissing\n"
        digest.update(line.encode())
    return digest.hexdigest()


def code_sha256(*parts: Path) -> str:
    """Hash of the Python files (a folder: all in it) that decide what comes out."""
    files = [file for part in parts for file in (sorted(part.rglob("*.py")) if part.is_dir() else [part])]
    return hashlib.sha256("".join(file_digest(file) for file in files).encode()).hexdigest()


def is_up_to_date(record: Path, inputs: dict[str, Any]) -> bool:
    """Whether the JSON file `record` exists and was made from exactly these inputs."""
    if not record.is_file():
        return False
    try:
        return read_json(record).get("inputs") == json.loads(json.dumps(inputs))
    except (ValueError, AttributeError):
        return False  # not ours, or damaged: build it again


def content_sha256(manifest: dict[str, Any]) -> str:
    """Hash of what a run depends on: the databases' and tables' content, not when or by which code they were made.

    So a run stays valid when its databases are built again to the same bytes.
    """
    made_from = {
        name: value
        for name, value in manifest["inputs"].items()
        if name.endswith("_sha256") and name not in ("code_sha256", "source_listing_sha256")
    }
    content = [manifest["databases"][split]["sha256"] for split in sorted(manifest["databases"])]
    text = json.dumps([content, manifest["patches_csv_sha256"], made_from], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def read_manifest(patches: Path) -> dict[str, Any]:
    """manifest.json of a patches folder. DataError if it is missing or its patches.csv has another hash."""
    path = patches / MANIFEST
    if not path.is_file():
        raise DataError(f"{path} is missing: the databases are not built. Run `python -m data_prep.<application>`.")
    manifest = read_json(path)
    found = file_digest(patches / "patches.csv")
    if found != manifest["patches_csv_sha256"]:
        raise DataError(
            f"{patches / 'patches.csv'} has sha256 {found}, its manifest says {manifest['patches_csv_sha256']}. "
            f"It was changed; remove {patches} and build it again."
        )
    return manifest
