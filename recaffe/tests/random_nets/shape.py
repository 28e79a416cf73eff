"""Layers that cut, repeat, reshape and choose: Crop, Slice, Reshape, Tile, BatchReindex, Filter."""

from __future__ import annotations

import math

from hypothesis import strategies as st

from random_nets import net_text

LEARNS = (  # real Caffe wants a gradient of indices and selectors under force_backward, and stops
    'layer { name: "below" type: "Scale" bottom: "data" top: "below" propagate_down: true '
    'scale_param { axis: -1 filler { type: "gaussian" std: 1 } } }\n'
)


@st.composite
def crop(draw: st.DrawFn) -> str:
    cropped = draw(st.integers(1, 4))
    kept = draw(st.lists(st.integers(1, 3), max_size=4 - cropped))
    sizes = draw(st.lists(st.integers(1, 3), min_size=cropped, max_size=cropped))
    offsets = draw(st.lists(st.integers(0, 3), min_size=cropped, max_size=cropped))
    form = draw(st.sampled_from(("none", "one", "all")))
    if form != "all":
        offsets = [offsets[0] if form == "one" else 0] * cropped
    shape = [*kept, *(size + offset + draw(st.integers(0, 2)) for size, offset in zip(sizes, offsets, strict=True))]
    like = [draw(st.integers(1, 4)) for _ in kept] + sizes
    stated = {"none": [], "one": offsets[:1], "all": offsets}[form]
    param = f"axis: {len(kept) - draw(st.sampled_from((0, len(shape))))} "
    param += " ".join(f"offset: {offset}" for offset in stated)
    layer = f'layer {{ name: "layer" type: "Crop" bottom: "data" bottom: "like" top: "out" crop_param {{ {param} }} }}'
    return net_text(layer, data=shape, like=like)


@st.composite
def slices(draw: st.DrawFn) -> str:
    shape = draw(st.lists(st.integers(1, 3), min_size=1, max_size=4))
    axis = draw(st.integers(0, len(shape) - 1))
    parts = draw(st.lists(st.integers(1, 3), min_size=1, max_size=4))
    if draw(st.booleans()):
        parts = [parts[0]] * len(parts)
        points = ""
    else:
        points = " ".join(f"slice_point: {sum(parts[:end])}" for end in range(1, len(parts)))
        parts = parts if points else [sum(parts)]
    shape[axis] = sum(parts)
    stated = draw(st.sampled_from((f"axis: {axis}", f"axis: {axis - len(shape)}", f"slice_dim: {axis}")))
    tops = " ".join(f'top: "out{index}"' for index in range(len(parts)))
    layer = f'layer {{ name: "layer" type: "Slice" bottom: "data" {tops} slice_param {{ {stated} {points} }} }}'
    return net_text(layer, data=shape)


@st.composite
def reshape(draw: st.DrawFn) -> str:
    shape = draw(st.lists(st.sampled_from((1, 2, 4, 6)), min_size=1, max_size=4))
    start = draw(st.integers(0, len(shape)))
    end = draw(st.integers(start, len(shape)))
    count, new = math.prod(shape[start:end]), []
    while count > 1 or draw(st.booleans()):
        if len(new) == 4:
            new.append(count)
            break
        divisor = draw(st.sampled_from([size for size in range(1, count + 1) if count % size == 0]))
        new.append(divisor)
        count //= divisor
    new = [0 if shape[start:][place : place + 1] == [size] and draw(st.booleans()) else size
           for place, size in enumerate(new)]  # fmt: skip
    if new and draw(st.booleans()):
        new[draw(st.integers(0, len(new) - 1))] = -1
    stated = start - draw(st.sampled_from((0, len(shape) + 1)))
    axes = "" if end == len(shape) and draw(st.booleans()) else f"num_axes: {end - start} "
    param = f"axis: {stated} {axes} shape {{ {' '.join(f'dim: {size}' for size in new)} }}"
    layer = f'layer {{ name: "layer" type: "Reshape" bottom: "data" top: "out" reshape_param {{ {param} }} }}'
    return net_text(layer, data=shape)


@st.composite
def tile(draw: st.DrawFn) -> str:
    shape = draw(st.lists(st.integers(1, 3), min_size=1, max_size=4))
    param = f"axis: {draw(st.integers(-len(shape), len(shape) - 1))} tiles: {draw(st.integers(1, 4))}"
    layer = f'layer {{ name: "layer" type: "Tile" bottom: "data" top: "out" tile_param {{ {param} }} }}'
    return net_text(layer, data=shape)


@st.composite
def batch_reindex(draw: st.DrawFn) -> str:
    shape = (draw(st.integers(3, 5)), *draw(st.lists(st.integers(1, 3), max_size=3)))
    layer = 'layer { name: "layer" type: "BatchReindex" bottom: "below" bottom: "index" top: "out" loss_weight: 0.7 }'
    return net_text(LEARNS + layer, force_backward=False, data=shape, index=(draw(st.integers(1, 6)),))


@st.composite
def filters(draw: st.DrawFn) -> str:
    items = draw(st.integers(1, 6))
    shape = (items, *draw(st.lists(st.integers(1, 3), max_size=3)))
    ones = [1] * draw(st.integers(0, 3))
    wires = 'bottom: "below" bottom: "label_target" bottom: "flag" top: "kept" top: "kept_target"'
    layer = f'layer {{ name: "layer" type: "Filter" {wires} }}\n'
    layer += 'layer { name: "loss" type: "EuclideanLoss" bottom: "kept" bottom: "kept_target" top: "loss" }'
    return net_text(LEARNS + layer, force_backward=False, data=shape, label_target=shape, flag=(items, *ones))


NETS = {
    "BatchReindex": batch_reindex(),
    "Crop": crop(),
    "Filter": filters(),
    "Reshape": reshape(),
    "Slice": slices(),
    "Tile": tile(),
}
