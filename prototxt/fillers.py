"""A filler in a few words, with what its type reads and nothing else. Source: Caffe's filler.hpp."""

from __future__ import annotations

from typing import Any

from recaffe.proto import caffe_pb2


def filler_text(filler: Any) -> str:
    """`gaussian 0.01`, `constant 0.1`, `xavier`: fields that the type does not read are left out."""
    if filler.type == "constant":
        return f"constant {filler.value:g}"
    if filler.type == "uniform":
        return f"uniform {filler.min:g} to {filler.max:g}"
    if filler.type == "gaussian":
        mean = f" around {filler.mean:g}" if filler.mean else ""
        sparse = f", {filler.sparse} of each output" if filler.sparse >= 0 else ""
        return f"gaussian {filler.std:g}{mean}{sparse}"
    if filler.type in ("xavier", "msra") and filler.variance_norm != caffe_pb2.FillerParameter.FAN_IN:
        norm = caffe_pb2.FillerParameter.VarianceNorm.Name(filler.variance_norm)
        return f"{filler.type} {norm}"
    return filler.type
