"""Python: a layer whose class stands in a module of the user's (include/caffe/layers/python_layer.hpp)."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any, ClassVar

from recaffe import alias, parallel
from recaffe.blob import BlobVec
from recaffe.layer import Layer as PublicLayer
from recaffe.layers.base import Blobs, Layer
from recaffe.permissions import ENVIRONMENT_VARIABLE, python_layers_are_allowed


class Python(Layer):
    """Stands in the net for `public`, an instance of the class `python_param { module: "..." layer: "..." }`, which
    derives from caffe.Layer; the module is found as by `import`.

    Any number of bottoms and tops; tops may be bottoms. Errors of the class itself come through as they are.
    Raises NetError unless the process allows such layers, and for a module or class that does not exist.
    """

    bottom_range: ClassVar = (0, None)
    top_range: ClassVar = (0, None)
    allows_in_place: ClassVar = True

    def __init__(self, param: Any) -> None:
        super().__init__(param)
        self._public = self._class()(param)

    @property
    def public(self) -> PublicLayer:
        return self._public

    @property
    def blobs(self) -> BlobVec:
        return self._public.blobs

    def _class(self) -> type[PublicLayer]:
        """The class that the prototxt names."""
        module_name, name = self.param.python_param.module, self.param.python_param.layer
        if not python_layers_are_allowed():
            raise self.error(
                f"would run the code of class {name!r} in module {module_name!r}. A net file runs no code unless you "
                f"allow it: call recaffe.allow_python_layers() first, set {ENVIRONMENT_VARIABLE}=1, or give the "
                "command --allow-python-layers"
            )
        alias.serve_as_caffe()  # the module's own `import caffe` means this package
        try:
            module = importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            if error.name != module_name:
                raise
            raise self.error(
                f"needs the module {module_name!r}, which Python does not find; add its folder to PYTHONPATH"
            ) from None
        found = getattr(module, name, None)
        if not isinstance(found, type) or not issubclass(found, PublicLayer):
            raise self.error(f"needs a class {name!r}, derived from caffe.Layer, in {module.__file__}; found {found!r}")
        return found

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        if self.is_train and parallel.solver_count() > 1 and not parallel.multiprocess():
            raise self.error("cannot train with several solvers in one process; set_solver_count(1)")
        self._public.param_str = self.param.python_param.param_str
        self._public.phase = self.phase
        self._public.setup(bottom, top)

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        self._public.reshape(bottom, top)

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        self._public.forward(bottom, top)

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        self._public.backward(top, propagate_down, bottom)
