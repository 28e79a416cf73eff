"""One family of errors, so that every command can tell a user's problem from a bug of ours."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable


class LayerwiseError(Exception):
    """What is wrong with which file, line or key; what was found and expected; what to do."""


class DataError(LayerwiseError):
    """The images, masks, labels, splits or databases are not usable as they are."""


class ModelError(LayerwiseError):
    """A caffemodel is missing, truncated, foreign, or its shapes do not fit the net."""


class EngineError(LayerwiseError):
    """The engine is not there, refused the net, or died; carries the tail of its log."""


class UsageError(LayerwiseError):
    """The command line asks for something that does not exist. Exit code 2."""


def exit_code_main(main: Callable[[], int | None]) -> Callable[[], int]:
    """Wrap a command's main: exit 0 done, 1 failed, 2 usage; our errors print one line, never a traceback."""

    @functools.wraps(main)
    def wrapped() -> int:
        try:
            done = main() or 0
            sys.stdout.flush()
            return done
        except BrokenPipeError:
            # Whoever read us, `head` say, has seen enough. What is still in the buffer must not fail again at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1
        except UsageError as error:
            print(f"usage: {error}", file=sys.stderr)
            return 2
        except LayerwiseError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            return 1

    return wrapped
