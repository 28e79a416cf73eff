"""Nets around one layer, drawn at random: hypothesis strategies of prototxt text, by layer type.

Every module here has NETS: {layer type: strategy}. Input blobs are filled by their names, see `oracle.input_values`.
What is drawn must be valid: real Caffe ends its process at an error.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence

from hypothesis import strategies as st


def net_text(layer: str, *, force_backward: bool = True, **inputs: Sequence[int]) -> str:
    """An Input layer for each of `inputs` (name=shape), then the layers in `layer`."""
    text = "force_backward: true\n" if force_backward else ""
    for name, shape in inputs.items():
        dims = " ".join(f"dim: {size}" for size in shape)
        text += f'layer {{ name: "{name}" type: "Input" top: "{name}" input_param {{ shape {{ {dims} }} }} }}\n'
    return text + layer


def shapes(least_axes: int = 4, most_axes: int = 4, least: int = 1, most: int = 5) -> st.SearchStrategy[tuple]:
    """Shapes with that many axes and sizes."""
    return st.lists(st.integers(least, most), min_size=least_axes, max_size=most_axes).map(tuple)


def fillers() -> st.SearchStrategy[str]:
    """The inside of a weight_filler that fits any shape."""
    return st.sampled_from(
        (
            'type: "gaussian" std: 0.5',
            'type: "xavier"',
            'type: "xavier" variance_norm: AVERAGE',
            'type: "msra"',
            'type: "msra" variance_norm: FAN_OUT',
            'type: "uniform" min: -0.7 max: 0.9',
            'type: "positive_unitball"',
            'type: "constant" value: 0.3',
        )
    )


def all_nets() -> dict[str, st.SearchStrategy[str]]:
    """{layer type: nets} of all modules here."""
    nets: dict[str, st.SearchStrategy[str]] = {}
    for module in pkgutil.iter_modules(__path__):
        nets.update(importlib.import_module(f"{__name__}.{module.name}").NETS)
    return nets
