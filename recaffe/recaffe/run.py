"""python -m recaffe.run [--allow-python-layers] SCRIPT [ARGUMENT ...]

Runs a Python script written for pycaffe as it is: its `import caffe` gives recaffe. --allow-python-layers lets nets
have layers of type "Python", whose code is run.
"""

from __future__ import annotations

import runpy
import sys
from collections.abc import Sequence
from pathlib import Path

from recaffe.alias import serve_as_caffe
from recaffe.permissions import allow_python_layers

_FLAG = "--allow-python-layers"


def main(arguments: Sequence[str]) -> int:
    """Run the script; returns 2 where there is none. What the script raises, SystemExit too, comes through."""
    if arguments and arguments[0] == _FLAG:
        allow_python_layers()
        arguments = arguments[1:]
    if not arguments or arguments[0].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 2
    script = arguments[0]
    if not Path(script).is_file():
        print(f"there is no file {script}", file=sys.stderr)
        return 2
    serve_as_caffe()
    sys.argv = list(arguments)
    if not sys.flags.safe_path:
        sys.path[0] = str(Path(script).resolve().parent)  # as Python does for `python script.py`
    runpy.run_path(script, run_name="__main__")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
