"""Caffe's log: the lines of glog, through Python's `logging` under the name "recaffe"."""

from __future__ import annotations

import logging
import sys
import time

_LETTERS = {logging.DEBUG: "I", logging.INFO: "I", logging.WARNING: "W", logging.ERROR: "E", logging.CRITICAL: "F"}
_LEVELS = (logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL)  # glog's 0 to 3
_HANDLER = "recaffe.init_log"


class GlogFormatter(logging.Formatter):
    """`I1122 21:47:35.123456  4711 solver.py:218] message`: what Caffe's log parsers read.

    For a log file: `handler.setFormatter(GlogFormatter())` on any handler of `logging.getLogger("recaffe")`.
    """

    def format(self, record: logging.LogRecord) -> str:
        moment = time.strftime("%m%d %H:%M:%S", time.localtime(record.created))
        fraction = int(record.created % 1 * 1e6)
        head = f"{_LETTERS.get(record.levelno, 'I')}{moment}.{fraction:06d} {record.process:5d}"
        message = record.getMessage().removesuffix("\n")  # glog ends a line only where the message does not
        return f"{head} {record.filename}:{record.lineno}] {message}"


def init_log(level: int = 0, stderr: bool = True) -> None:
    """Show the log on stderr in glog's form, from glog's level on (0 INFO, 1 WARNING, 2 ERROR, 3 FATAL).

    Without `stderr` only errors are shown; the files that Caffe then writes into the folder for temporary files are
    not. Called again, it takes the place of the earlier call.
    """
    logger = logging.getLogger("recaffe")
    for handler in [handler for handler in logger.handlers if handler.name == _HANDLER]:
        logger.removeHandler(handler)
    handler = logging.StreamHandler(sys.stderr)
    handler.name = _HANDLER
    handler.setFormatter(GlogFormatter())
    handler.setLevel(_LEVELS[level] if stderr else max(_LEVELS[level], logging.ERROR))
    logger.addHandler(handler)
    logger.setLevel(_LEVELS[level])


def log(message: str) -> None:
    """Write a line of the caller's own into the log, level INFO."""
    logging.getLogger("recaffe").info("%s", message, stacklevel=2)


def number(value: float) -> str:
    """A number as C++ streams print it: six significant digits."""
    return f"{value:g}"
