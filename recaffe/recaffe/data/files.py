"""Files read whole, with errors that say which."""

from __future__ import annotations

from pathlib import Path

from recaffe.data.errors import DataError


def read_bytes(path: str | Path, what: str) -> bytes:
    """The bytes of a file. Raises DataError: "PATH: WHAT cannot be read: REASON"."""
    try:
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: {what} cannot be read: {getattr(error, 'strerror', None) or error}") from None
