"""A cluster in the place of this machine's processes, reached by the address of its Dask scheduler (extra ``cluster``).

What has many cases takes any ``concurrent.futures.Executor``; this is the one for ``--scheduler tcp://host:port``. Dask
runs on Slurm, Kubernetes, a set of machines or one; how it is started there is its own documentation's subject.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

from parity.errors import Option, OptionError
from parity.installed import __version__

WAIT = 10.0
"""Seconds in which the scheduler must answer, and have a worker."""
LOSSES = 3
"""Workers that a case may lose before it is given up."""
MODULES = ("torch", "numpy", "scipy")


@contextmanager
def cluster(address: str) -> Iterator[Executor]:
    """The executor of a Dask scheduler, such as ``tcp://127.0.0.1:8786``.

    Raises :class:`InputError` without the extra, without an answer, and where a worker has other versions than this
    machine or several threads: a case sets what torch keeps for a whole process.
    """
    try:
        import dask
        from distributed import Client
    except ImportError as error:
        raise OptionError(
            Option("scheduler"), f" {address}: needs Dask: pip install 'step-parity[cluster]' ({error})"
        ) from error
    with dask.config.set({"distributed.scheduler.allowed-failures": LOSSES}):
        try:
            client = Client(address, timeout=WAIT, set_as_default=False)
        except (OSError, ValueError) as error:
            why = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise OptionError(
                Option("scheduler"), f" {address}: does not answer ({why}); give an address like tcp://host:8786"
            ) from error
        try:
            _check_workers(client, address)
            yield client.get_executor(pure=False)
        finally:
            client.close()


@contextmanager
def executor_of(address: str | None) -> Iterator[Executor | None]:
    """The executor of ``--scheduler``; None where it is not given."""
    if address is None:
        yield None
        return
    with cluster(address) as executor:
        yield executor


def _check_workers(client: Any, address: str) -> None:
    try:
        client.wait_for_workers(1, timeout=WAIT)
    except TimeoutError as error:
        raise OptionError(
            Option("scheduler"), f" {address}: has no worker; start one: dask worker {address} --nthreads 1"
        ) from error
    own = versions()
    try:
        every = client.run(versions)
    except Exception as error:  # whatever stands in the way there
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise OptionError(
            Option("scheduler"), f" {address}: a worker cannot run parity ({why}); install there what is here"
        ) from error
    for worker, theirs in every.items():
        for name, number in own.items():
            if theirs.get(name) != number:
                raise OptionError(
                    Option("scheduler"),
                    f" {address}: {worker} has {name} {theirs.get(name)}, here is {number}; install the same there",
                )
    for worker, told in client.scheduler_info(n_workers=-1)["workers"].items():
        if told["nthreads"] > 1:
            raise OptionError(
                Option("scheduler"),
                f" {address}: {worker} has {told['nthreads']} threads; start it with --nthreads 1, once for each core",
            )


def versions() -> dict[str, str]:
    """The versions of what computes, on the machine that runs this."""
    return {"parity": __version__, "python": platform.python_version()} | {name: version(name) for name in MODULES}
