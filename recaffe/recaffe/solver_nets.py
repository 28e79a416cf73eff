"""The nets of a solver, made from its SolverParameter (src/caffe/solver.cpp, InitTrainNet and InitTestNets)."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from recaffe.errors import CaffeError, SolverError
from recaffe.net import Net
from recaffe.proto import caffe_pb2, files

log = logging.getLogger("recaffe.solver")
_TRAIN_NET_FIELDS = ("net", "net_param", "train_net", "train_net_param")


def make_train_net(param: Any) -> Net:
    """The net that learns, with the weights that the solver names. Raises SolverError unless it names one net."""
    given = [name for name in _TRAIN_NET_FIELDS if param.HasField(name)]
    if len(given) != 1:
        raise SolverError(f"a solver needs exactly one of {', '.join(_TRAIN_NET_FIELDS)}, found {given or 'none'}")
    source = getattr(param, given[0])
    described = f"from {given[0]} file: {source}" if isinstance(source, str) else f"specified in {given[0]}."
    log.info("Creating training net %s", described)
    return _make_net(param, source, caffe_pb2.TRAIN, param.train_state)


def make_test_nets(param: Any) -> list[Net]:
    """Those of test_net_param, those of test_net, and of `net` or `net_param` as many as test_iter has entries left.

    Raises SolverError where test_iter, test_interval or test_state do not fit.
    """
    sources: list[tuple[str, Any]] = [("test_net_param", net) for net in param.test_net_param]
    sources += [("test_net", path) for path in param.test_net]
    generic = [(name, getattr(param, name)) for name in ("net_param", "net") if param.HasField(name)]
    sources += generic * (len(param.test_iter) - len(sources))
    if len(sources) != len(param.test_iter):
        raise SolverError(
            f"test_iter is given {len(param.test_iter)} times for {len(sources)} test nets; give it for each"
        )
    if sources and param.test_interval < 1:
        raise SolverError("test_interval must be at least 1 where there are test nets")
    states = list(param.test_state) or [caffe_pb2.NetState()] * len(sources)
    if len(states) != len(sources):
        raise SolverError(f"test_state is given {len(states)} times for {len(sources)} test nets; give it for each")
    nets = []
    for index, ((field, source), state) in enumerate(zip(sources, states, strict=True)):
        described = f"{field} file: {source}" if isinstance(source, str) else field
        log.info("Creating test net (#%d) specified by %s", index, described)
        nets.append(_make_net(param, source, caffe_pb2.TEST, state))
    return nets


def _make_net(param: Any, source: Any, phase: int, stated: Any) -> Net:
    """The net in its state: `phase`, under what the net says itself, under what the solver states for it."""
    net_param = _read_net(source)
    state = caffe_pb2.NetState(phase=phase)
    state.MergeFrom(net_param.state)
    state.MergeFrom(stated)
    net_param.state.CopyFrom(state)
    net = Net.from_param(net_param)
    for paths in param.weights:
        for path in paths.split(","):
            log.info("Finetuning from %s", path.strip())
            net.copy_from(path.strip())
    return net


def _read_net(source: Any) -> Any:
    """A NetParameter, from itself or from the path of a prototxt."""
    if not isinstance(source, str):
        net_param = caffe_pb2.NetParameter()
        net_param.CopyFrom(source)
        return net_param
    if not Path(source).is_file():
        raise CaffeError(
            f"could not open net file {source}, named in the solver file; it is looked up from {Path.cwd()}"
        )
    return files.read_net(source)
