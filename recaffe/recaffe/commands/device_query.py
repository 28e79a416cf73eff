"""usage: recaffe device_query [--gpu=all]

Logs the properties of GPUs in Caffe's layout: those that --gpu names, or all.
"""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Callable, Iterator, Sequence

import recaffe
from recaffe.commands.caffe_flags import Flags, gpus, read_flags
from recaffe.errors import CaffeError

__all__ = ["Flags", "main"]
log = logging.getLogger("recaffe.commands")
_DRIVER = "libcuda.so.1"
_ANSWERS = ("No", "Yes")


def main(argv: Sequence[str]) -> int:
    asked = read_flags(argv).gpu or "all"
    log.info("Querying GPUs %s", asked)
    for device in gpus(asked):
        recaffe.set_device(device)  # refuses one that is not there
        import torch

        name, memory = torch.cuda.get_device_name(device), torch.cuda.get_device_properties(device).total_memory
        for label, value in layout(device, name, memory, _driver_attributes(device)):
            log.info("%-31s%s", f"{label}:", value)
    return 0


def layout(device: int, name: str, memory: int, attribute: Callable[[int], int]) -> Iterator[tuple[str, object]]:
    """Labels and values in Caffe's order. attribute: the value of a number of NVIDIA's enum CUdevice_attribute.

    memory: bytes. Source: Caffe::DeviceQuery in src/caffe/common.cpp.
    """
    yield "Device id", device
    yield "Major revision number", attribute(75)
    yield "Minor revision number", attribute(76)
    yield "Name", name
    yield "Total global memory", memory
    yield "Total shared memory per block", attribute(8)
    yield "Total registers per block", attribute(12)
    yield "Warp size", attribute(10)
    yield "Maximum memory pitch", attribute(11)
    yield "Maximum threads per block", attribute(1)
    yield "Maximum dimension of block", ", ".join(str(attribute(axis)) for axis in (2, 3, 4))
    yield "Maximum dimension of grid", ", ".join(str(attribute(axis)) for axis in (5, 6, 7))
    yield "Clock rate", attribute(13)
    yield "Total constant memory", attribute(9)
    yield "Texture alignment", attribute(14)
    yield "Concurrent copy and execution", _ANSWERS[attribute(15)]
    yield "Number of multiprocessors", attribute(16)
    yield "Kernel execution timeout", _ANSWERS[attribute(17)]


def _driver_attributes(device: int) -> Callable[[int], int]:
    """Asks NVIDIA's driver, which knows more than PyTorch tells. Raises CaffeError where it does not answer."""
    try:
        driver = ctypes.CDLL(_DRIVER)
    except OSError as error:
        raise CaffeError(f"device_query: NVIDIA's driver cannot be asked: {error}") from None

    def call(function: str, *arguments: object) -> None:
        code = driver[function](*arguments)
        if code:
            raise CaffeError(f"device_query: the driver's {function} failed for GPU {device} with CUDA error {code}")

    def attribute(number: int) -> int:
        value = ctypes.c_int()
        call("cuDeviceGetAttribute", ctypes.byref(value), number, handle)
        return value.value

    handle = ctypes.c_int()
    call("cuInit", 0)
    call("cuDeviceGet", ctypes.byref(handle), device)
    return attribute
