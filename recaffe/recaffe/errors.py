"""What recaffe raises where Caffe would abort the process. Every message names the file, layer or blob, what was found
and expected, and what to do."""

from __future__ import annotations


class CaffeError(RuntimeError):
    """Base of the family; a RuntimeError, which is what pycaffe raises where it raises at all."""


class NetError(CaffeError):
    """Layers, blobs or shapes of a net do not fit together, or a layer asks for something unknown."""


class BlobSizeError(NetError):
    """A blob is asked for a shape that it cannot have: too many values or axes, or a negative size."""


class WeightsError(CaffeError):
    """A caffemodel or solverstate is missing, truncated or foreign, or its shapes do not fit the net."""


class SolverError(CaffeError):
    """A solver file asks for something impossible or unknown."""


class LabelError(CaffeError):
    """A label that is no class of the layer that reads it. Real Caffe reads foreign memory there."""


class NonFiniteLossError(CaffeError):
    """The loss is NaN or infinite; names the first layer whose parameters or outputs are."""
