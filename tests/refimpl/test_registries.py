"""Nothing enters a registry untested."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from refimpl.ranges import number_fields

KINDS = ["loss", "penalty", "optimizer", "schedule", "init"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_entry_has_an_example(kind: str, registries: Any, examples: Any) -> None:
    assert set(registries) == set(examples) == set(KINDS)
    without = [name for name in registries[kind] if not examples[kind].get(name)]
    assert not without, f"add constructor arguments to EXAMPLES[{kind!r}] in tests/refimpl/examples.py for {without}"
    assert set(examples[kind]) == set(registries[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_every_entry_is_a_frozen_keyword_only_dataclass(kind: str, registries: Any) -> None:
    for entry in registries[kind].values():
        assert dataclasses.is_dataclass(entry)
        assert entry.__dataclass_params__.frozen
        assert all(field.kw_only for field in dataclasses.fields(entry))


def test_every_optimizer_says_what_it_does_with_a_penalty(every_optimizer: dict[str, Any]) -> None:
    for label, optimizer in every_optimizer.items():
        assert optimizer.decay in {"coupled", "decoupled", "proximal"}, label
        assert "decay" not in {field.name for field in dataclasses.fields(optimizer)}, label


@pytest.mark.parametrize("kind", ["loss", "penalty", "optimizer"])
def test_an_example_of_each_entry_switches_every_term_on(kind: str, registries: Any, examples: Any) -> None:
    """Else a formula's term would go unseen by the tests that run over the examples."""
    for name, entry in registries[kind].items():
        made = [entry(**arguments) for arguments in examples[kind][name]]
        for field in number_fields(entry):
            assert any(np.all(np.asarray(getattr(example, field)) != 0) for example in made), (
                f"{name}.{field} is 0 in every example"
            )
