"""Folders that appear whole or not at all, written by one process at a time."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import lmdb

from layerwise.errors import DataError


@contextmanager
def only_one_writer(folder: Path) -> Iterator[None]:
    """Hold the folder's lock: a second process that prepares the same data waits, then finds it done."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)  # let go by the system when the process ends, however it ends
        yield


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """Yield a new folder beside `target`; on success it replaces target, on any error it is removed.

    One writer at a time: hold `only_one_writer` where two could meet.
    """
    partial, replaced = target.with_name(f".{target.name}.partial"), target.with_name(f".{target.name}.replaced")
    for left_by_a_killed_run in (partial, replaced):
        shutil.rmtree(left_by_a_killed_run, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        if target.exists():
            target.rename(replaced)
        partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        shutil.rmtree(replaced, ignore_errors=True)


@contextmanager
def disk_full_is_data_error(target: Path) -> Iterator[None]:
    """Turn "no space left", from the system or from LMDB, into a DataError that says how much is free where."""
    try:
        yield
    except (OSError, lmdb.Error) as error:
        full = isinstance(error, lmdb.DiskError) or getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT)
        cut_short = isinstance(error, lmdb.Error) and os.strerror(errno.EIO) in str(error)  # how LMDB names it mostly
        if not full and not cut_short:
            raise
        there = next(folder for folder in target.absolute().parents if folder.exists())
        free_mib = shutil.disk_usage(there).free >> 20
        raise DataError(
            f"{target}: the disk is full ({free_mib} MiB are free at {there}); nothing was left behind. Free some "
            "space, or ask for fewer patches (the command's --help names the options)."
        ) from error
