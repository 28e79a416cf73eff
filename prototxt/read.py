"""A prototxt of either kind, net or solver, in today's form; the file itself says which it is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recaffe.net_graph import filter_layers
from recaffe.proto import caffe_pb2, upgrade
from recaffe.proto.files import ProtoFileError, read_text
from recaffe.proto.text import ProtoTextError
from recaffe.proto.upgrade_v0 import UpgradeError

from layerwise.errors import ModelError

NET, SOLVER = "net", "solver"
_CLASSES = {NET: caffe_pb2.NetParameter, SOLVER: caffe_pb2.SolverParameter}


@dataclass(frozen=True)
class Prototxt:
    """kind: `net` or `solver`; message: the NetParameter or SolverParameter."""

    path: str
    kind: str
    message: Any


def read_prototxt(path: Path | str) -> Prototxt:
    """The file as the kind that it can be read as; V0 and V1 nets and old solvers are brought to today's form.

    Of a file that is neither, the error is that of the kind that was followed further.
    Raises ModelError with file, line and column.
    """
    errors: list[ProtoTextError] = []
    for kind, message_class in _CLASSES.items():
        try:
            message = read_text(path, message_class)
            if not message.ListFields():
                raise ModelError(f"{path}: says nothing; expected a net (layer {{ ... }}) or a solver (base_lr: ...)")
            if kind == SOLVER:
                upgrade.upgrade_solver(message, str(path))
            for net in [message] if kind == NET else _nets_within(message):
                upgrade.upgrade_net(net, str(path))
            return Prototxt(str(path), kind, message)
        except ProtoTextError as error:
            errors.append(error)
        except OSError as error:
            raise ModelError(f"{path}: cannot be read: {error.strerror}; expected a prototxt") from error
        except (ProtoFileError, UpgradeError) as error:
            raise ModelError(str(error)) from error
    furthest = max(errors, key=lambda error: (error.line, error.column))
    raise ModelError(f"{furthest} (read as a {list(_CLASSES)[errors.index(furthest)]})") from furthest


def _nets_within(solver: Any) -> list[Any]:
    single = [getattr(solver, name) for name in ("net_param", "train_net_param") if solver.HasField(name)]
    return [*single, *solver.test_net_param]


def read_kind(path: Path | str, kind: str) -> Any:
    """The message of a file that must be of that kind; ModelError if it is of the other."""
    found = read_prototxt(path)
    if found.kind != kind:
        raise ModelError(f"{path}: is a {found.kind}, expected a {kind}")
    return found.message


def of_phase(net: Any, phase: str) -> Any:
    """A copy of the NetParameter with the layers of `TRAIN` or `TEST`; the rest of its state stays as the net says."""
    kept = caffe_pb2.NetParameter()
    kept.CopyFrom(net)
    kept.state.phase = caffe_pb2.Phase.Value(phase)
    return filter_layers(kept)
