"""The programs of Caffe's tools, started as `recaffe COMMAND ...`.

One module each, with `main(argv) -> int`, `Flags` if it has any (see recaffe.commands.flags), and the usage as its
docstring.
"""

from __future__ import annotations

import importlib
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from recaffe import glog
from recaffe.commands.flags import UsageError, describe
from recaffe.errors import CaffeError
from recaffe.proto.text import nearest_name

log = logging.getLogger("recaffe.commands")

COMMANDS: dict[str, str] = {  # module name -> what it does
    "train": "train or finetune a model",
    "test": "score a model",
    "device_query": "show GPU diagnostic information",
    "time": "benchmark model execution time",
    "convert_imageset": "write a list of images into a database",
    "compute_image_mean": "compute the mean image of a database",
    "extract_features": "write blobs of a net into databases",
    "upgrade_net_proto_text": "bring an old net prototxt to today's form",
    "upgrade_net_proto_binary": "bring an old caffemodel to today's form",
    "upgrade_solver_proto_text": "bring an old solver prototxt to today's form",
    "draw_net": "draw a net as a graph",
    "parse_log": "turn a training log into CSV files",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run `recaffe COMMAND arguments`; the log goes to stderr.

    Returns 0 where it was done, 1 where it failed (the reason is the last line of the log), 2 for a command line that
    cannot be read. The environment's GLOG_minloglevel quiets the log as it does Caffe's.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] in (["--version"], ["-version"]):
        import recaffe

        print(f"recaffe version {recaffe.__version__}")
        return 0
    if not arguments or arguments[0].lstrip("-") in ("help", "h"):
        print(_usage(), file=sys.stdout if arguments else sys.stderr)
        return 0 if arguments else 2
    try:
        return _run(arguments[0], arguments[1:])
    except UsageError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 2


def _run(name: str, arguments: list[str]) -> int:
    if name not in COMMANDS:
        raise UsageError(f"unknown command {name!r}; {nearest_name(name, list(COMMANDS))}")
    module = importlib.import_module(f"recaffe.commands.{name}")
    if arguments and arguments[0].lstrip("-") == "help":
        print(f"{module.__doc__}\nflags:\n{describe(module.Flags)}" if hasattr(module, "Flags") else module.__doc__)
        return 0
    with _log_on_stderr():
        try:
            return module.main(arguments)
        except OSError as error:
            log.critical("%s: %s", error.filename or name, error.strerror or error)
            return 1
        except CaffeError as error:
            log.critical("%s", error)
            return 1
        except KeyboardInterrupt:
            log.critical("interrupted: recaffe %s stopped before it was done", name)
            return 1


def _usage() -> str:
    listed = "\n".join(f"  {name:<27}{text}" for name, text in COMMANDS.items())
    return f"usage: recaffe COMMAND [arguments]\n\ncommands:\n{listed}\n\nrecaffe COMMAND --help says more."


@contextmanager
def _log_on_stderr() -> Iterator[None]:
    asked = os.environ.get("GLOG_minloglevel", "0")  # noqa: SIM112 - glog's own name
    if asked not in ("0", "1", "2", "3"):
        raise UsageError(f"the environment's GLOG_minloglevel is {asked!r}, expected 0, 1, 2 or 3")
    logger = logging.getLogger("recaffe")
    handlers, level = logger.handlers[:], logger.level
    try:
        glog.init_log(int(asked))
        yield
    finally:
        logger.handlers[:] = handlers
        logger.setLevel(level)
