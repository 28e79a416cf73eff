"""usage: recaffe upgrade_solver_proto_text OLD_PROTOTXT NEW_PROTOTXT

Brings a solver prototxt with the old enum `solver_type` to today's form, with `type`. A file that is in today's form
already is written as it is.
"""

from __future__ import annotations

from collections.abc import Sequence

from recaffe.commands.upgrade import run
from recaffe.proto import caffe_pb2, upgrade


def main(argv: Sequence[str]) -> int:
    return run(argv, caffe_pb2.SolverParameter, upgrade.upgrade_solver, "text")
