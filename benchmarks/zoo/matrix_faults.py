"""Faults of optimizers that see a parameter as a matrix."""

from __future__ import annotations

from benchmarks.zoo.fault import NUMBERS, Fault

MATRIX_FAULTS = (
    Fault(
        id="torch_optimizer_shampoo_roots",
        package="torch-optimizer",
        classes=("Shampoo",),
        explains=NUMBERS,
        title="Shampoo takes the square of each root, and the second statistics of a gradient already multiplied",
        where="`shampoo.py:130`: `-1 / order`, and `:128`, where `grad` is what the axis before left",
        measured="a vector with the gradient 4 moves by 0.25·η, not by 4/√16·η = η",
        contradicts="Gupta et al. 2018, Algorithm 2: exponents −1/2k, statistics of the gradient",
    ),
    Fault(
        id="pytorch_optimizer_shampoo_first_steps",
        package="pytorch_optimizer",
        classes=("Shampoo",),
        explains=NUMBERS,
        title="Shampoo does not move before its first roots, where these are not taken in every step",
        where="`optimizer/shampoo.py:142`: the count is 1 in the first step, and the roots are zeros until it divides",
        measured="preconditioning_compute_steps=3: the first two steps move nothing",
        contradicts="its documentation: “How often to compute the preconditioner”",
    ),
    Fault(
        id="pytorch_optimizer_shampoo_empty",
        package="pytorch_optimizer",
        classes=("Shampoo",),
        explains=("situation-empty",),
        title="Shampoo raises on a parameter without elements",
        where="`optimizer/shampoo.py:133`: `reshape(dim, -1)`",
        measured="shape (0, 2): RuntimeError: cannot reshape tensor of 0 elements into shape [0, -1]",
        contradicts="torch's optimizers take it",
    ),
    Fault(
        id="pytorch_optimizer_soap_late",
        package="pytorch_optimizer",
        classes=("SOAP",),
        explains=("soap-matrix",),
        title="SOAP counts the first gradient of a late parameter twice, and makes a step with it",
        where="`optimizer/soap.py:121` averages it; `:303` skips the step only where the group has made none",
        measured="one gradient of (1, 1): alone L = 2(1 − β) and no move; beside a parameter with five steps before, "
        "L = 2(1 − β²), and it moves by 0.33·η",
        contradicts="the authors' `soap.py`: “first step is skipped so that we never use the current gradients”",
    ),
)
