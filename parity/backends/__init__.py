"""Backends by name, each imported when it is asked for: the command line must not load torch to print its help."""

from importlib import import_module
from typing import cast

from parity.backends.base import Backend

BACKENDS = {"torch": "parity.backends.torch_backend:TorchBackend"}


def backend(name: str) -> Backend:
    """The backend of that name."""
    module, cls = BACKENDS[name].split(":")
    return cast("Backend", getattr(import_module(module), cls)())
