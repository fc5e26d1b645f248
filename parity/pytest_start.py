"""The entry point of the pytest plugin: refuses a damaged installation, then registers the fixtures.

It is a file of its own, because another distribution that installs a package ``parity`` has a file
``parity/pytest_plugin.py``, too, and may have overwritten the one that has the fixtures.
"""

from __future__ import annotations

import pytest

from parity.installed import clash


def pytest_configure(config: pytest.Config) -> None:
    """Register the fixtures. Raises :class:`pytest.UsageError` where another distribution writes into this package."""
    if problem := clash():
        raise pytest.UsageError(problem)
    from parity import pytest_plugin

    if not config.pluginmanager.is_registered(pytest_plugin):
        config.pluginmanager.register(pytest_plugin, "parity.pytest_plugin")
