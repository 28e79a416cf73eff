"""One function over many items on all cores, results in the order of the items whatever the number of workers."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

import cv2
from tqdm import tqdm

from layerwise.errors import DataError

Item = TypeVar("Item")
Result = TypeVar("Result")


def available_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def ordered_map(
    function: Callable[[Item], Result], items: Sequence[Item], workers: int, title: str
) -> Iterator[Result]:
    """Yield function(item) for every item, in order; with one worker in this process, else in spawned ones.

    `function` and the items must pickle (a module's function, or a functools.partial of one). The first error of an
    item is raised here and stops the rest. DataError if a worker dies. A bar shows on a terminal only.
    """
    bar: dict[str, Any] = {"total": len(items), "desc": title, "disable": None, "leave": False}
    if workers <= 1 or len(items) < 2:
        yield from tqdm(map(function, items), **bar)
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(workers, len(items)), context, initializer=_start_worker)
    try:
        chunk = max(1, min(16, len(items) // (4 * workers)))
        yield from tqdm(pool.map(function, items, chunksize=chunk), **bar)
    except BrokenProcessPool:
        raise DataError(
            f"{title}: a worker process died, most likely for lack of memory. Try again with --workers 1."
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _start_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the main process's to handle
    cv2.setNumThreads(1)  # one core per worker
