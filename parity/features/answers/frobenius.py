"""‖A‖²_F = tr(AᵀA)."""

from __future__ import annotations

import numpy as np

from parity.features.answers.answer import THREAD, Answer, Reply


def evidence() -> Reply:
    A = np.random.default_rng(0).integers(-9, 9, (4, 3), endpoint=True)
    sums = int((A**2).sum()), int(np.trace(A.T @ A)), int(np.trace(A @ A.T))
    rotation, _ = np.linalg.qr(np.random.default_rng(1).standard_normal((4, 4)))
    return Reply(
        text="""\
The j-th diagonal element of AᵀA is Σᵢ aᵢⱼ², the squared length of column j; their sum is over all elements. So
the Frobenius norm of a weight matrix is the Euclidean norm of all its numbers in a row, which is what
`weight_decay` penalises. As tr(AᵀA) = Σσⱼ² it is also the sum of the squared singular values, and no rotation
on either side changes it. For a matrix of integers, the first three exactly:""",
        columns=("Σaᵢⱼ²", "tr(AᵀA)", "tr(AAᵀ)", "Σσⱼ²", "Σaᵢⱼ² of QA"),
        rows=((*sums, float(np.sum(np.linalg.svd(A, compute_uv=False) ** 2)), float(np.sum((rotation @ A) ** 2))),),
    )


ANSWER = Answer(
    id="frobenius",
    source=THREAD,
    asked="‖A‖²_F = tr(AᵀA): why?",
    why="the diagonal of AᵀA holds the squared lengths of the columns",
    commands=(),
    evidence=evidence,
)
