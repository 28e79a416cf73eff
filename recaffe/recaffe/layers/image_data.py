"""ImageData: image files that a list names, with their labels. Source: src/caffe/layers/image_data_layer.cpp."""

from __future__ import annotations

from recaffe.data.image_loader import ImageLoader
from recaffe.layers.inputs import Prefetching


class ImageData(Prefetching):
    """Images of a list `path label`, read and resized by OpenCV, in its order or shuffled at each turn."""

    make_loader = ImageLoader
