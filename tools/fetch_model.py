"""Bring source weights that are not in git: `python -m tools.fetch_model bvlc_alexnet`.

The file appears under its own name only when it is whole and has the sha1 that models/<name>/readme.md states. A broken
download is kept beside it as *.partial.caffemodel and continued by the next call.
"""

from __future__ import annotations

import argparse
import http.client
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import BinaryIO

from tqdm import tqdm

from layerwise.errors import ModelError, exit_code_main
from layerwise.files import file_digest
from layerwise.weights import ZooModel, check_sha1, find_zoo_model, how_to_get

TIMEOUT_S = 30
PIECE_BYTES = 1 << 18


def fetch(model: ZooModel) -> bool:
    """Make sure that the file of `model` is there and right; True if it had to be downloaded.

    A partial file is continued; if the whole then has a wrong sha1, it is dropped and fetched once more from the start.
    Raises ModelError: no network, a server's refusal, a connection that ends early, a wrong sha1.
    """
    if model.path.is_file():
        check_sha1(model)
        return False
    if model.url is None:
        raise ModelError(f"{model.path} is part of the repository and missing; run {how_to_get(model)}")
    partial = model.path.with_suffix(f".partial{model.path.suffix}")
    was_continued = partial.exists()
    _download(model, partial)
    found = file_digest(partial, "sha1")
    if found != model.sha1:
        partial.unlink()
        if was_continued:
            return fetch(model)
        raise ModelError(
            f"{model.url} sent a file with sha1 {found}, expected {model.sha1}; it was not kept. " + _by_hand(model)
        )
    partial.replace(model.path)
    return True


def _download(model: ZooModel, partial: Path) -> None:
    """Append what is missing of `model.url` to `partial`; a server that does not continue makes it start again."""
    start = partial.stat().st_size if partial.exists() else 0
    request = urllib.request.Request(model.url or "", headers={"Range": f"bytes={start}-"} if start else {})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
            if response.status != http.HTTPStatus.PARTIAL_CONTENT:
                start = 0
            length = response.headers.get("Content-Length")
            total = start + int(length) if length else None
            with partial.open("ab" if start else "wb") as file:
                size = _copy(response, file, start, total, model.path.name)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                return  # nothing is missing; the sha1 will tell
        raise ModelError(f"{model.url}: the server answers {error.code} {error.reason}. {_by_hand(model)}") from error
    except (OSError, http.client.HTTPException) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise ModelError(
            f"cannot fetch {model.url}: {reason}. Run this again to continue. {_by_hand(model)}"
        ) from error
    if total is not None and size < total:
        raise ModelError(f"{model.url}: the connection ended at {size} of {total} bytes. Run this again to continue.")


def _copy(response: http.client.HTTPResponse, file: BinaryIO, start: int, total: int | None, label: str) -> int:
    """Copy the body with a progress bar (on a terminal); return the bytes that `file` then has."""
    size = start
    with tqdm(total=total, initial=start, unit="B", unit_scale=True, desc=label, disable=None) as bar:
        while piece := response.read(PIECE_BYTES):
            file.write(piece)
            size += len(piece)
            bar.update(len(piece))
    return size


def _by_hand(model: ZooModel) -> str:
    return f"Without a network, put the file at {model.path} yourself; its sha1 is {model.sha1}."


@exit_code_main
def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.fetch_model", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("name", nargs="+", help="a folder of models/")
    for name in parser.parse_args().name:
        model = find_zoo_model(name)
        if model.url and not model.path.is_file():
            print(f"fetching {model.url}", flush=True)
        fetched = fetch(model)
        print(f"{model.path}: {'fetched' if fetched else 'already there'}, sha1 is right", flush=True)


if __name__ == "__main__":
    sys.exit(main())
