"""Makes `import caffe` mean recaffe, with everything below it: `caffe.proto.caffe_pb2`, `caffe.io`, ..."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Answers the import of `caffe` and `caffe.x` with the module `recaffe` and `recaffe.x` itself, before any other
    finder is asked: a real Caffe that is installed too is never loaded."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != "caffe" and not fullname.startswith("caffe."):
            return None
        return importlib.machinery.ModuleSpec(fullname, self, loader_state={})

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        try:
            module = importlib.import_module(f"re{spec.name}")
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(f"No module named {spec.name!r} (recaffe has none)", name=spec.name) from error
        state: Any = spec.loader_state
        state["spec"] = module.__spec__  # the import system is about to put `spec` in its place
        return module

    def exec_module(self, module: ModuleType) -> None:
        spec: Any = module.__spec__
        module.__spec__ = spec.loader_state["spec"]


_FINDER = _Finder()


def serve_as_caffe() -> None:
    """From now on `import caffe` gives this package, in the whole process.

    Does nothing where a module `caffe` was imported before, be it real Caffe: the two are never mixed.
    """
    if "caffe" not in sys.modules and _FINDER not in sys.meta_path:
        sys.meta_path.insert(0, _FINDER)
