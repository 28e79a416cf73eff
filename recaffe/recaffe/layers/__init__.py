"""Layers, a few related classes per file, each with the name of its type; `catalogue` lists them.

Under the same name pycaffe has the layers of its net specification (`from caffe import layers as L`), so a type's name
here is the function that writes such a layer: `L.Convolution(bottom, kernel_size=3)`. See `recaffe.net_spec`.
"""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    if name.startswith("_"):
        raise AttributeError(name)
    from recaffe import net_spec

    return getattr(net_spec.layers, name)
