"""Record what the programs of tests/programs print under real Caffe, into tests/programs/printed/NAME.txt.

python recaffe/tests/record_programs.py, with real Caffe as $CAFFE_PYTHON or .caffe/caffe-python (make caffe).
"""

import os
import re
import subprocess
import tempfile
from pathlib import Path

PROGRAMS = Path(__file__).resolve().parent / "programs"
NAMES = (
    "classify",
    "detect",
    "edit_net",
    "features",
    "learning",
    "memory_data",
    "net_details",
    "net_surgery",
    "score",
    "solver_wrapper",
)

# For a Python with real Caffe: runs PROGRAMS/NAME.py in a folder NAME of its own, for each; what it prints becomes
# NAME.txt.
RUN_ALL = """
import contextlib, os, runpy, sys
programs, names = sys.argv[1], sys.argv[2:]
sys.path.insert(0, programs)
here = os.getcwd()
for name in names:
    os.mkdir(os.path.join(here, name))
    os.chdir(os.path.join(here, name))
    with open(os.path.join(here, name + ".txt"), "w") as out, contextlib.redirect_stdout(out):
        runpy.run_path(os.path.join(programs, name + ".py"), run_name="__main__")
"""
_NUMBER = re.compile(r"[-+]?\d+(?:\.\d*)?(?:e[-+]?\d+)?")


def words_and_numbers(printed: str) -> tuple[list[str], list[list[float]]]:
    """The lines of a text without their numbers, and the numbers of each line."""
    lines = printed.splitlines()
    return [_NUMBER.sub("#", line) for line in lines], [[*map(float, _NUMBER.findall(line))] for line in lines]


def main() -> None:
    python = os.environ.get("CAFFE_PYTHON", str(PROGRAMS.parents[2] / ".caffe" / "caffe-python"))
    environment = {**os.environ, "GLOG_minloglevel": "2", "OPENBLAS_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([python, "-c", RUN_ALL, PROGRAMS, *NAMES], cwd=folder, env=environment, check=True)
        (PROGRAMS / "printed").mkdir(exist_ok=True)
        for name in NAMES:
            (PROGRAMS / "printed" / f"{name}.txt").write_text(Path(folder, f"{name}.txt").read_text())


if __name__ == "__main__":
    main()
