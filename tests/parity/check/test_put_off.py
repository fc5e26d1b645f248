"""What stands for ``torch._dynamo`` until something is compiled."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

from parity.features.check.put_off import NAME, StandIn


@pytest.mark.parametrize(
    "mark",
    [
        lambda module: module.disable,
        lambda module: module.disable(),
        lambda module: module.disable(recursive=False),
        lambda module: lambda function: module.disable(fn=function),
    ],
    ids=["@disable", "@disable()", "@disable(recursive=False)", "disable(fn=…)"],
)
@pytest.mark.every_case
def test_a_function_that_is_marked_as_in_torch_is_called_as_it_is(
    mark: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    module = StandIn(NAME)
    monkeypatch.setitem(sys.modules, NAME, module)

    @mark(module)
    def twice(value: int) -> int:
        return 2 * value

    assert twice(3) == 6
    assert sys.modules[NAME] is module
