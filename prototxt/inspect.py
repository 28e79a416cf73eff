"""Look into prototxt files: shapes, costs and rates of each layer, and what the schemes of an application share.

python -m prototxt.inspect polyp                       one page, all eleven schemes: runs/polyp/inspect.html
python -m prototxt.inspect polyp --text                the same in the terminal
python -m prototxt.inspect path/to/train_val.prototxt  any net, or the net of a solver, in the terminal
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from recaffe.proto import caffe_pb2, text

from layerwise.applications import APPLICATIONS, Application
from layerwise.errors import ModelError, UsageError, exit_code_main
from layerwise.files import write_text
from layerwise.nearest import lookup
from layerwise.nets import NETS, NetRecord
from layerwise.schemes import SCHEMES, Scheme
from layerwise.shapes import Shape
from prototxt.generate import FOLDER, PAPER_NET, study_texts
from prototxt.inspect_page import inspector_page
from prototxt.inspect_text import format_net, format_schemes
from prototxt.inspection import Inspected, NetView, inspect_net
from prototxt.read import NET, SOLVER, read_kind, read_prototxt


def inspect_schemes(application: Application, net: NetRecord = PAPER_NET) -> list[Inspected]:
    """Net, solver and view of every scheme, in the order of their depth.

    Of full AlexNet the committed files are read; of another net they are what the generator would write.
    Raises ModelError if a file cannot be read.
    """
    found = []
    for scheme in SCHEMES.values():
        train_val, solver = _messages(application, scheme, net)
        view = inspect_net(
            train_val, solver, net.patch_shape(application), copied_layers=scheme.copied_layers, name=scheme.name
        )
        found.append(Inspected(train_val, solver, view))
    return found


def inspect_file(path: str, solver_path: str | None, data_shape: Shape | None, phase: str) -> NetView:
    """The view of a net's file, or of the net that a solver's file names.

    solver_path: where the rates are; without one the view has the layers' factors alone.
    Raises ModelError if a file cannot be read or is of the wrong kind, UsageError if a solver is given twice.
    """
    given = read_prototxt(path)
    if given.kind == NET:
        solver = read_kind(solver_path, SOLVER) if solver_path else None
        return inspect_net(given.message, solver, data_shape, phase=phase, name=path)
    if solver_path:
        raise UsageError(f"{path} is a solver itself; give either a net and --solver, or one solver")
    return inspect_net(_net_of_solver(path, given.message), given.message, data_shape, phase=phase, name=path)


def _net_of_solver(path: str, solver: Any) -> Any:
    for field in ("net_param", "train_net_param"):
        if solver.HasField(field):
            return getattr(solver, field)
    named = solver.train_net or solver.net
    if not named:
        raise ModelError(f"{path}: names no net; expected net or train_net")
    if not Path(named).is_file():
        raise ModelError(
            f"{path}: its net {named!r} is not there; Caffe takes the path from the folder where it is started: "
            f"change to that, or give the net itself with --solver {path}"
        )
    return read_kind(named, NET)


def _messages(application: Application, scheme: Scheme, net: NetRecord) -> tuple[Any, Any]:
    if net is PAPER_NET:
        folder = FOLDER / application.name / scheme.name
        return read_kind(folder / "train_val.prototxt", NET), read_kind(folder / "solver.prototxt", SOLVER)
    texts = study_texts(application, scheme, net)
    return (
        text.parse(texts["train_val.prototxt"], caffe_pb2.NetParameter),
        text.parse(texts["solver.prototxt"], caffe_pb2.SolverParameter),
    )


def _shape(value: str) -> Shape:
    """`3,227,227` as three positive numbers; ValueError is argparse's to report."""
    shape = tuple(map(int, value.split(",")))
    if len(shape) != 3 or min(shape) < 1:
        raise ValueError
    return shape


_shape.__name__ = "channels,height,width"  # what argparse calls it in its error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m prototxt.inspect", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", help=f"an application ({', '.join(APPLICATIONS)}), or a prototxt file")
    parser.add_argument("--net", help=f"{' or '.join(NETS)} ({PAPER_NET.name}); for an application")
    parser.add_argument("--text", action="store_true", help="print instead of writing a page; for an application")
    parser.add_argument("--out", type=Path, help="the page, by default runs/<application>/inspect.html")
    parser.add_argument("--solver", help="the solver of a net file, for its rates")
    parser.add_argument(
        "--shape", type=_shape, help="size of the pictures, as 3,227,227, where the file leaves it open"
    )
    parser.add_argument("--phase", choices=("TRAIN", "TEST"), help="of a file; TRAIN by default")
    return parser


@exit_code_main
def main() -> None:
    args = _parser().parse_args()
    if args.what not in APPLICATIONS and (Path(args.what).exists() or args.what.endswith(".prototxt")):
        if args.text or args.out or args.net:
            raise UsageError("--text, --out and --net are for an application; a file is always printed")
        print(format_net(inspect_file(args.what, args.solver, args.shape, args.phase or "TRAIN")))
        return
    if args.solver or args.shape or args.phase:
        raise UsageError("--solver, --shape and --phase are for a prototxt file")
    application = lookup("application, and no file of that name,", args.what, APPLICATIONS)
    net = lookup("net", args.net or PAPER_NET.name, NETS)
    schemes = inspect_schemes(application, net)
    if args.text:
        print(format_schemes([scheme.view for scheme in schemes]))
        return
    path = args.out or Path("runs", application.name, "inspect.html")
    write_text(path, inspector_page(application, net, schemes))
    print(f"wrote {path}")


if __name__ == "__main__":
    sys.exit(main())
