"""A sum of squares over tensors of different shapes is no scalar."""

from __future__ import annotations

from parity.features.answers.answer import ARTICLE, Answer, Reply
from parity.features.known.known import KNOWN

SHAPES = ((128, 784), (128,), (10, 128), (10,))
"""The shapes of the parameters of the network 784 → 128 → 10."""


def evidence() -> Reply:
    sizes = {" × ".join(map(str, shape)): _size(shape) for shape in SHAPES}
    return Reply(
        text=f"""\
As written it fails: `{KNOWN["sum-over-parameters-is-no-scalar"].observe().text}`. Each `p²` has the shape of
its tensor; they must be summed within each tensor first, `sum((p * p).sum() for p in net.parameters())`. Meant
is then 0.01·Σp² over all {sum(sizes.values()):,} numbers, biases included: λ = 0.02 here, or weight_decay =
0.02 for an optimizer whose decay is coupled.""",
        columns=("shape", "numbers"),
        rows=tuple(sizes.items()),
    )


def _size(shape: tuple[int, ...]) -> int:
    return shape[0] * (shape[1] if len(shape) > 1 else 1)


ANSWER = Answer(
    id="s2-no-scalar",
    source=ARTICLE,
    asked="The penalty 0.01·sum of p² over all parameters of a network, as written. Does it run?",
    seen="it is shown as a way to write the penalty",
    why="tensors of different shapes cannot be added; each must be summed first",
    commands=("parity known sum-over-parameters-is-no-scalar",),
    evidence=evidence,
)
