"""``npy``: a second device of torch, in Python over the CPU's memory, whose kernels a test can break.

It needs no compiler and no accelerator. Its tensors are real ones of another device (views, autograd, storages), whose
memory happens to be the CPU's; each kernel runs the CPU's own on that memory. So what holds on it is not tied to the
CPU. ``NPY_KERNELS`` names those of :data:`numpy_device_kernels.KERNELS` that it has; by default they are right. Where
this folder is on Python's path, torch loads the device by itself: it is an entry point of the group ``torch.backends``,
as a vendor's device is.
"""

from __future__ import annotations

import ctypes
import os
from typing import Any

import torch
from numpy_device_kernels import KERNELS, right
from torch.utils._pytree import tree_map
from torch.utils.backend_registration import _DummyBackendModule, _setup_privateuseone_for_python_backend
from torch.utils.dlpack import to_dlpack

NAME = "npy"
KEY = "PrivateUse1"
CPU, EXTENSION = 1, 12  # kDLCPU, kDLExtDev: what DLPack calls the two
kernels = right
LIBRARIES: list[Any] = []  # torch forgets the kernels of a library that nobody holds


def start() -> None:
    """Register the device; torch calls this once, at its import."""
    _setup_privateuseone_for_python_backend(NAME, backend_module=Module())
    fallback, aten = torch.library.Library("_", "IMPL"), torch.library.Library("aten", "IMPL")
    LIBRARIES.extend([fallback, aten])
    use(os.environ.get("NPY_KERNELS", "right"))
    fallback.fallback(kernel, KEY)
    fallback.fallback(torch.library.fallthrough_kernel, "AutocastPrivateUse1")  # autocast changes no dtype here
    aten.impl("set_.source_Storage", unsupported, KEY)
    aten.impl("set_.source_Storage_storage_offset", unsupported, KEY)
    aten.impl("_copy_from", copy_from, KEY)
    aten.impl("empty.memory_format", empty, KEY)
    aten.impl("empty_strided", empty_strided, KEY)
    aten.impl("as_strided", as_strided, KEY)
    aten.impl("view", lambda x, size: as_strided(x, to_host(x).view(size).size(), to_host(x).view(size).stride()), KEY)


class Module(_DummyBackendModule):
    """What ``torch.npy`` is."""

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16, torch.float16]


def use(name: str) -> None:
    """From now on, the device has the kernels of that name."""
    global kernels
    kernels = KERNELS[name]


def kernel(operation: Any, *given: Any, **options: Any) -> Any:
    """Run an operation on the CPU's side of the same memory. What it writes in place, it returns."""
    host, host_options = tree_map(to_host, given), tree_map(to_host, options)
    for name, value in host_options.items():
        if isinstance(value, torch.Tensor) and name == "out" and not value.numel():
            host_options[name] = torch.empty(0, dtype=value.dtype)  # the kernel gives it its size
    result = kernels(operation, host, host_options)
    names = [argument.name for argument in operation._schema.arguments]
    written = [a.name for a in operation._schema.arguments if a.alias_info is not None and a.alias_info.is_write]
    if not written or not operation._schema.returns:
        return tree_map(to_device, result)
    for name in written:
        if name in options and host_options[name].shape != options[name].shape:  # an `out` that got another size
            options[name].data = to_device(host_options[name])
    targets = tuple(options[name] if name in options else given[names.index(name)] for name in written)
    return targets if len(targets) > 1 else targets[0]


def seen_by(tensor: torch.Tensor, device: int) -> torch.Tensor:
    """The same memory as a tensor of the other device: DLPack's capsule, with the number of the device replaced."""
    capsule = to_dlpack(tensor.detach())
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    ctypes.c_int32.from_address(pointer(capsule, b"dltensor") + 8).value = device
    return torch._C._from_dlpack(capsule)


def to_device(value: Any) -> Any:
    return seen_by(value, EXTENSION) if isinstance(value, torch.Tensor) and value.device.type == "cpu" else value


def to_host(value: Any) -> Any:
    if isinstance(value, torch.Tensor) and value.device.type == NAME:
        return seen_by(value, CPU)
    return torch.device("cpu") if isinstance(value, torch.device) else value


def copy_from(source: torch.Tensor, target: torch.Tensor, *_: Any) -> torch.Tensor:
    to_host(target).copy_(to_host(source))
    return target


def empty(size: Any, dtype: Any = None, **_: Any) -> torch.Tensor:
    made: torch.Tensor = to_device(torch.empty(size, dtype=dtype))
    return made


def empty_strided(size: Any, stride: Any, dtype: Any = None, **_: Any) -> torch.Tensor:
    made: torch.Tensor = to_device(torch.empty_strided(size, stride, dtype=dtype))
    return made


def unsupported(*_: Any) -> Any:
    raise NotImplementedError("the device has no set_: its tensors keep the storage that they were made with")


def as_strided(x: torch.Tensor, size: Any, stride: Any, offset: int | None = None) -> torch.Tensor:
    """A view that shares the storage."""
    return x.detach().as_strided_(size, stride, x.storage_offset() if offset is None else offset)
