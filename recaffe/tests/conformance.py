"""Measure recaffe against real Caffe and write the tables into recaffe/README.md: python recaffe/tests/conformance.py.

Runs the tests beside this file, with 100 random nets per layer type; those that compare with real Caffe report their
errors through the fixture `conform`. A row without a measurement or a stated reason makes the command fail. Needs real
Caffe (make caffe); columns of CUDA are filled on a machine that has a CUDA device. About five minutes on two cores.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy
import torch
from recaffe.layers.catalogue import layer_type_list

TESTS = Path(__file__).resolve().parent
README = TESTS.parent / "README.md"
BEGIN, END = "<!-- conformance: begin -->", "<!-- conformance: end -->"

Errors = dict[str, dict[str, dict[str, float]]]  # table -> row -> column -> worst error

DIRECTIONS = ("forward CPU", "backward CPU", "forward CUDA", "backward CUDA")
WITHOUT_GRADIENT = {  # layer types in whose backward column nothing can stand, and why
    **dict.fromkeys(("Data", "DummyData", "HDF5Data", "ImageData", "Input", "MemoryData", "WindowData"), "a source"),
    **dict.fromkeys(("Accuracy", "ArgMax", "Threshold"), "a decision"),
    **dict.fromkeys(("HDF5Output", "Silence"), "an end"),
}
POLICIES = ("fixed", "step", "exp", "inv", "multistep", "poly", "sigmoid")
SOLVERS = ("SGD", "Nesterov", "AdaGrad", "RMSProp", "AdaDelta", "Adam")
FILLERS = ("constant", "uniform", "gaussian", "positive_unitball", "xavier", "msra", "bilinear")
STREAMS = ("crop", "mirror", "dropout mask", "shuffle")
FILES = (
    "prototxt V0",
    "prototxt V1",
    "prototxt V2",
    "binary net V0",
    "binary net V1",
    "solver prototxt with solver_type",
    "caffemodel, binaryproto",
    "caffemodel, HDF5",
    "solverstate, binaryproto",
    "solverstate, HDF5",
    "mean, binaryproto",
    "LMDB",
    "LevelDB",
)
COMMANDS = (
    "train",
    "test",
    "time",
    "device_query",
    "convert_imageset",
    "compute_image_mean",
    "extract_features",
    "upgrade_net_proto_text",
    "upgrade_net_proto_binary",
    "upgrade_solver_proto_text",
    "draw_net",
    "parse_log",
)
REASONS: dict[tuple[str, str, str], str] = {  # (table, row, column) -> why there is no number
    ("commands", "device_query", "result"): "Debian's Caffe is built without CUDA",
    **{("layers", "Input", direction): "filled by the caller" for direction in DIRECTIONS if "forward" in direction},
    **{("files", f"{form} V{version}", "written"): "as V2" for form in ("prototxt", "binary net") for version in "01"},
    ("files", "solver prototxt with solver_type", "written"): "as type",
    ("files", "LevelDB", "written"): "only read",
    ("nets", "full AlexNet, 10 iterations", "update"): "losses only",
}


def measure() -> Errors:
    """Run the tests and gather the worst error of every cell."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "errors.jsonl"
        path.touch()
        environment = {**os.environ, "RECAFFE_CONFORMANCE": str(path), "RECAFFE_EXAMPLES": "100"}
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(TESTS)]
        subprocess.run(command, env=environment, cwd=TESTS.parents[1], check=True)
        errors: Errors = defaultdict(lambda: defaultdict(dict))
        for table, row, column, error in map(json.loads, path.read_text().splitlines()):
            cells = errors[table][row]
            cells[column] = max(error, cells.get(column, 0.0))
    return errors


def cell(error: float | None) -> str:
    if error is None:
        return ""
    return "equal" if error == 0 else f"{error:.0e}".replace("e-0", "e-")


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def layer_rows(errors: Errors) -> list[tuple[str, ...]]:
    has_cuda = torch.cuda.is_available()
    rows = []
    for name in layer_type_list():
        found = errors["layers"].get(name, {})
        cells = [cell(found.get(direction)) for direction in DIRECTIONS]
        for index, direction in enumerate(DIRECTIONS):
            if not cells[index] and direction.startswith("backward") and name in WITHOUT_GRADIENT:
                cells[index] = f"{WITHOUT_GRADIENT[name]}: no gradient"
            elif not cells[index] and direction.endswith("CUDA") and not has_cuda:
                cells[index] = "not run"
            elif not cells[index]:
                cells[index] = REASONS.get(("layers", name, direction), "")
        rows.append((name, *cells))
    return rows


def plain_rows(errors: Errors, name: str, rows: tuple[str, ...], columns: tuple[str, ...]) -> list[tuple[str, ...]]:
    return [
        (row, *[cell(errors[name][row].get(column)) or REASONS.get((name, row, column), "") for column in columns])
        for row in rows
    ]


def render(errors: Errors) -> str:
    """The section of the README. Raises SystemExit, naming them, where cells are empty."""
    nets, programs = tuple(sorted(errors["nets"])), tuple(sorted(errors["programs"]))
    tables = {
        "Layers": (("layer", *DIRECTIONS), layer_rows(errors)),
        "Solvers": (("loss over 40 iterations", *POLICIES), plain_rows(errors, "solvers", SOLVERS, POLICIES)),
        "Fillers": (("filler", "values"), plain_rows(errors, "fillers", FILLERS, ("values",))),
        "Random numbers": (("drawn", "values"), plain_rows(errors, "streams", STREAMS, ("values",))),
        "Files": (("file", "read", "written"), plain_rows(errors, "files", FILES, ("read", "written"))),
        "Commands": (("command", "result"), plain_rows(errors, "commands", COMMANDS, ("result",))),
        "Programs written for pycaffe": (
            ("program", "printed numbers"),
            plain_rows(errors, "programs", programs, ("printed numbers",)),
        ),
        "Nets": (("one training step", "loss", "update"), plain_rows(errors, "nets", nets, ("loss", "update"))),
    }
    empty = [f"{title}: {' | '.join(row)}" for title, (_, rows) in tables.items() for row in rows if "" in row]
    if empty:
        raise SystemExit("no measurement, and no reason in REASONS, for\n" + "\n".join(empty))
    versions = f"torch {torch.__version__}, numpy {numpy.__version__}"
    text = (
        f"Written by `make conformance` ({versions}; real Caffe 1.0 of Debian 11 with OpenBLAS).\n"
        "Each number is the worst error found over cases, random nets and training sessions, relative to the largest\n"
        "value of the array in question; `equal` means to the last bit, or the same text.\n"
    )
    for title, (head, rows) in tables.items():
        text += f"\n### {title}\n\n{table(head, rows)}"
    return text


def main() -> None:
    section = render(measure())
    readme = README.read_text()
    if BEGIN not in readme or END not in readme:
        raise SystemExit(f"{README}: has no lines {BEGIN} and {END}")
    pattern = re.compile(re.escape(BEGIN) + ".*" + re.escape(END), re.DOTALL)
    README.write_text(pattern.sub(lambda _: f"{BEGIN}\n{section}{END}", readme))


if __name__ == "__main__":
    main()
