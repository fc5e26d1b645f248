"""A gradient of zero is a step, `None` is not."""

from __future__ import annotations

from parity.features.known.fact import Fact


def reproduce() -> bool | None:
    import torch

    moved: dict[str, list[str]] = {"zero": [], "None": []}
    for name in ("SGD", "Adam", "AdamW", "ASGD", "RMSprop", "Adagrad", "Rprop"):
        for kind, after in (("zero", torch.zeros(1)), ("None", None)):
            w = torch.ones(1, requires_grad=True)
            options = {"momentum": 0.5} if name in ("SGD", "RMSprop") else {}
            optimizer = getattr(torch.optim, name)([w], lr=0.1, **options)
            w.grad = torch.ones(1)
            optimizer.step()
            before, w.grad = w.item(), after
            optimizer.step()
            if w.item() != before:
                moved[kind].append(name)
    print(f"moved by a second step without gradient: {moved}")
    return moved == {"zero": ["SGD", "Adam", "AdamW", "ASGD", "RMSprop"], "None": []}


FACT = Fact(
    id="zero-gradient-is-not-none",
    title="A gradient of zero is a step, `None` is not",
    kind="surprise",
    expected="a parameter that the loss does not reach stands still",
    executed=(
        "with `.grad = 0` momentum, moments, `step` and every decay go on; with `.grad = None` the parameter "
        "is passed over, its decay included. `Rprop`, `Adagrad` and SGD without momentum and decay stand "
        "still at 0"
    ),
    reproduce=reproduce,
)
