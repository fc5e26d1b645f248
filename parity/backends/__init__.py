"""Backends by name, each imported when it is asked for: the command line must not load torch to print its help."""

from importlib import import_module
from typing import cast

from parity.backends.base import Backend
from parity.errors import InputError, nearest, spelled

BACKENDS = {"torch": "parity.backends.torch_backend:TorchBackend"}


def backend(name: str) -> Backend:
    """The backend of that name. Raises :class:`parity.errors.InputError`."""
    known = spelled(name, BACKENDS)
    if known not in BACKENDS:
        raise InputError(f"backend {name!r}: unknown; allowed: {', '.join(BACKENDS)}{nearest(name, BACKENDS)}")
    module, cls = BACKENDS[known].split(":")
    return cast("Backend", getattr(import_module(module), cls)())
