"""Backends by name, each imported when it is asked for: the command line must not load torch to print its help."""

from importlib import import_module
from typing import cast

from parity.backends.base import Backend
from parity.errors import InputError, nearest, spelled

BACKENDS = {
    "torch": "parity.backends.torch_backend:TorchBackend",
    "optax": "parity.backends.optax_backend:OptaxBackend",
    "keras": "parity.backends.keras_backend:KerasBackend",
    "mlx": "parity.backends.mlx_backend:MlxBackend",
    "sklearn": "parity.backends.sklearn_backend:SklearnBackend",
}
"""Module and class; all but torch need the extra ``frameworks``."""
FRAMEWORKS = ("jax", "jaxlib", "optax", "keras", "mlx", "sklearn")
"""The modules that the extra installs."""


def backend(name: str) -> Backend:
    """The backend of that name. Raises :class:`parity.errors.InputError`, also where its framework is not installed."""
    known = spelled(name, BACKENDS)
    if known not in BACKENDS:
        raise InputError(f"backend {name!r}: unknown; allowed: {', '.join(BACKENDS)}{nearest(name, BACKENDS)}")
    module, cls = BACKENDS[known].split(":")
    try:
        return cast("Backend", getattr(import_module(module), cls)())
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        install = "; pip install 'step-parity[frameworks]'" if missing in FRAMEWORKS else ""
        raise InputError(f"backend {known!r}: its framework cannot be used here: {error}{install}") from error
