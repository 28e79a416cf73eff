"""One function over many items on all cores, results in the order of the items whatever the number of workers."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import Any, TypeVar

import cv2
from tqdm import tqdm

from layerwise.errors import DataError

Item = TypeVar("Item")
Result = TypeVar("Result")

_BEGUN, _DONE = 1, 2
_board: Any = None  # of a worker: one byte per item, shared by all: 0, or what has happened to the item
_LONGEST_NAME = 300  # characters of an item that a message shows; its path stands within


def available_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def ordered_map(
    function: Callable[[Item], Result], items: Sequence[Item], workers: int, title: str
) -> Generator[Result, None, None]:
    """Yield function(item) for every item, in order; with one worker in this process, else in spawned ones.

    `function` and the items must pickle (a module's function, or a functools.partial of one). The first error of an
    item is raised here, with a note of the item, and stops the rest. DataError if a worker dies: it names the items
    that were being worked on, as str() shows them. A bar shows on a terminal only. Who stops early closes it.
    """
    bar: dict[str, Any] = {"total": len(items), "desc": title, "disable": None, "leave": False}
    if workers <= 1 or len(items) < 2:
        yield from tqdm(map(partial(_noted, function), items), **bar)
        return
    context = multiprocessing.get_context("spawn")
    board = context.RawArray("b", len(items))
    pool = ProcessPoolExecutor(min(workers, len(items)), context, initializer=_start_worker, initargs=(board,))
    try:
        chunk = max(1, min(16, len(items) // (4 * workers)))
        results = pool.map(partial(_on_board, function), range(len(items)), items, chunksize=chunk)
        yield from tqdm(results, **bar)
    except BrokenProcessPool:
        begun = [_name(item) for item, state in zip(items, board, strict=True) if state == _BEGUN]
        raise DataError(
            f"{title}: a worker process died, most likely for lack of memory, while these were worked on: "
            f"{', '.join(begun) or 'none, it died as it started'}. Try again with --workers 1; if that dies too, one "
            "of these files is damaged in a way that crashes its decoder: take it away."
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _noted(function: Callable[[Item], Result], item: Item) -> Result:
    """function(item); an error gets a note that says which item it was."""
    try:
        return function(item)
    except Exception as error:
        error.add_note(f"while working on {_name(item)}")
        raise


def _on_board(function: Callable[[Item], Result], index: int, item: Item) -> Result:
    """The same in a worker, which notes on the board what it works on, for the case that it dies of it."""
    _board[index] = _BEGUN
    result = _noted(function, item)
    _board[index] = _DONE
    return result


def _name(item: object) -> str:
    return f"{item!s:.{_LONGEST_NAME}}"


def _start_worker(board: Any) -> None:
    global _board
    _board = board
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the main process's to handle
    cv2.setNumThreads(1)  # one core per worker
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A worker whose parent was killed would wait for work for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
