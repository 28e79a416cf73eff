"""Caffe's log: the lines of glog, through Python's `logging` under the name "recaffe"."""

from __future__ import annotations

import logging
import sys
import time

_LETTERS = {logging.DEBUG: "I", logging.INFO: "I", logging.WARNING: "W", logging.ERROR: "E", logging.CRITICAL: "F"}
_LEVELS = (logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL)  # glog's 0 to 3


class GlogFormatter(logging.Formatter):
    """`I1122 21:47:35.123456  4711 solver.py:218] message`: what Caffe's log parsers read.

    For a log file: `handler.setFormatter(GlogFormatter())` on any handler of `logging.getLogger("recaffe")`.
    """

    def format(self, record: logging.LogRecord) -> str:
        moment = time.strftime("%m%d %H:%M:%S", time.localtime(record.created))
        fraction = int(record.created % 1 * 1e6)
        head = f"{_LETTERS.get(record.levelno, 'I')}{moment}.{fraction:06d} {record.process:5d}"
        return f"{head} {record.filename}:{record.lineno}] {record.getMessage()}"


def init_log(level: int = 0) -> None:
    """Show the log on stderr in glog's form, from glog's level on (0 INFO, 1 WARNING, 2 ERROR, 3 FATAL)."""
    logger = logging.getLogger("recaffe")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(GlogFormatter())
    logger.addHandler(handler)
    logger.setLevel(_LEVELS[level])


def number(value: float) -> str:
    """A number as C++ streams print it: six significant digits."""
    return f"{value:g}"
