"""WindowData: regions of images for R-CNN. Source: src/caffe/layers/window_data_layer.cpp."""

from __future__ import annotations

from recaffe.data.window_loader import WindowLoader
from recaffe.layers.inputs import Prefetching


class WindowData(Prefetching):
    """Windows drawn at random from those of a window file, a fixed fraction of them foreground, warped to one size."""

    make_loader = WindowLoader
