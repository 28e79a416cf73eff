"""The public names of pycaffe and the arguments of its functions; under real Caffe's Python prints them in JSON.

CAFFE_PYTHON recaffe/tests/pycaffe_names.py > recaffe/tests/pycaffe_names.json
"""

import importlib
import inspect
import json
import sys
import types

PLACES = [
    "caffe",
    "caffe.Net",
    "caffe.Classifier",
    "caffe.Detector",
    "caffe.Layer",
    "caffe.NCCL",
    "caffe.NetSpec",
    "caffe.SGDSolver",
    "caffe.AdamSolver",
    "caffe.Timer",
    "caffe._caffe",
    "caffe._caffe.Blob",
    "caffe._caffe.BlobVec",
    "caffe._caffe.SolverParameter",
    "caffe.coord_map",
    "caffe.draw",
    "caffe.io",
    "caffe.io.Transformer",
    "caffe.net_spec",
    "caffe.net_spec.Function",
    "caffe.net_spec.Top",
    "caffe.proto.caffe_pb2",
    "caffe.pycaffe",
]


def find(path, package):
    """The module or class at `path`, where "caffe" stands for `package`."""
    module, rest = importlib.import_module(package), path.split(".")[1:]
    for name in rest:
        try:
            module = importlib.import_module(module.__name__ + "." + name)
        except (ImportError, AttributeError):
            module = getattr(module, name)
    return module


def parameters(value):
    """[[name, default as text or None], ...] of a Python function, None of anything else."""
    if not isinstance(value, types.FunctionType):
        return None
    return [
        [name, None if parameter.default is parameter.empty else repr(parameter.default)]
        for name, parameter in inspect.signature(value).parameters.items()
        if name != "self" and parameter.kind == parameter.POSITIONAL_OR_KEYWORD
    ]


def is_pycaffes(value):
    """Whether a name is pycaffe's own, not one that its modules imported from elsewhere."""
    if isinstance(value, types.ModuleType):
        return value.__name__.startswith("caffe.")
    return not getattr(value, "__module__", None) or value.__module__.startswith("caffe") or value.__module__ == "Boost"


def names_of(path, package="caffe"):
    """{public name: its parameters} at a place of pycaffe."""
    owner = find(path, package)
    names = [name for name in dir(owner) if not name.startswith("_")]
    if inspect.isclass(owner):
        names.append("__init__")
    return {name: parameters(getattr(owner, name)) for name in names if is_pycaffes(getattr(owner, name))}


def all_names():
    """`names_of` every place, under real Caffe."""
    sys.modules.setdefault("pydot", types.ModuleType("pydot"))  # caffe.draw asks for it when it is imported
    return {path: names_of(path) for path in PLACES}


if __name__ == "__main__":
    print(json.dumps(all_names(), indent=1, sort_keys=True))
