"""What all nets of the process have in common, as in Caffe: the device they compute on, and the random seed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from recaffe.errors import CaffeError
from recaffe.random_stream import global_stream

_CPU = torch.device("cpu")
_device = _CPU
_dtype = torch.float32
_gpu_index = 0
_gpu_generator: torch.Generator | None = None
_gpu_seed: int | None = None


def set_mode_cpu() -> None:
    """Compute on the CPU. This is the mode at start."""
    global _device
    _device = _CPU


def set_mode_gpu() -> None:
    """Compute on the GPU of `set_device`, in true float32 as Caffe does. Raises CaffeError where PyTorch has none."""
    global _device
    if not torch.cuda.is_available():
        raise CaffeError(
            "set_mode_gpu: PyTorch finds no CUDA device here; call set_mode_cpu, or install torch for CUDA"
        )
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False
    _device = torch.device("cuda", _gpu_index)


def set_device(index: int) -> None:
    """Choose the GPU that `set_mode_gpu` uses, counted from 0. Raises CaffeError for one that does not exist."""
    global _gpu_index
    found = torch.cuda.device_count()
    if not 0 <= index < found:
        raise CaffeError(f"set_device: there is no GPU {index}; PyTorch finds {found}")
    _gpu_index = index
    if _device.type == "cuda":
        set_mode_gpu()


def set_random_seed(seed: int) -> None:
    """Start the random streams again: the global one of the CPU, as real Caffe's, and that of Dropout on a GPU."""
    global _gpu_generator, _gpu_seed
    global_stream.seed(seed)
    _gpu_seed, _gpu_generator = seed, None


def gpu_generator() -> torch.Generator:
    """The stream of random numbers that are drawn on the GPU."""
    global _gpu_generator
    if _gpu_generator is None or _gpu_generator.device != _device:
        _gpu_generator = torch.Generator(_device)
        if _gpu_seed is None:
            _gpu_generator.seed()
        else:
            _gpu_generator.manual_seed(_gpu_seed)
    return _gpu_generator


def device() -> torch.device:
    """The device that layers compute on now."""
    return _device


def dtype() -> torch.dtype:
    """The type that blobs hold now: torch.float32, or torch.float64 under `double_precision`."""
    return _dtype


@contextmanager
def double_precision() -> Iterator[None]:
    """Compute in float64, as Caffe's C++ `Net<double>`: make and run the net inside the `with`.

    For telling a rounding error from a wrong gradient. Random numbers are those of float32, widened.
    """
    global _dtype
    _dtype = torch.float64
    try:
        yield
    finally:
        _dtype = torch.float32


def image_layout() -> torch.memory_format:
    """The order in memory that convolution and pooling like best: channels innermost on a CPU, Caffe's on a GPU.

    Blobs give numpy C order in either case; this is between layers only.
    """
    return torch.channels_last if _device.type == "cpu" else torch.contiguous_format
