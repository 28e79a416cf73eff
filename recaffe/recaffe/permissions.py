"""What a net file may make this process do. A net file is data: by default nothing in it runs code."""

from __future__ import annotations

import os

ENVIRONMENT_VARIABLE = "RECAFFE_ALLOW_PYTHON_LAYERS"
_python_layers: bool | None = None  # None: as the environment variable says


def allow_python_layers(allowed: bool = True) -> None:
    """Let nets of this process have layers of type "Python", whose code is imported and run.

    Allow it for net files that you trust as you trust a program. The environment variable
    RECAFFE_ALLOW_PYTHON_LAYERS=1 does the same for a process and those that it starts.
    """
    global _python_layers
    _python_layers = allowed


def python_layers_are_allowed() -> bool:
    """Whether a net may have Python layers now."""
    if _python_layers is None:
        return os.environ.get(ENVIRONMENT_VARIABLE, "") not in ("", "0")
    return _python_layers
