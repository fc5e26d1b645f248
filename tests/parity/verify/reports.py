"""Documents of a matrix: of thousands of cases, of a few, and with odd characters wherever there is a text."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

from parity.features.verify.document import LOOKS

OPTIMIZERS = {
    "SGD": ("for-loop", "foreach", "fused", "differentiable", "compile"),
    "Adam": ("for-loop", "foreach", "fused", "capturable", "differentiable", "compile"),
    "AdamW": ("for-loop", "foreach", "fused", "capturable", "differentiable", "compile"),
    "NAdam": ("for-loop", "foreach", "capturable", "differentiable"),
    "RAdam": ("for-loop", "foreach", "capturable", "differentiable"),
    "Adamax": ("for-loop", "foreach", "capturable", "differentiable"),
    "Adagrad": ("for-loop", "foreach", "fused", "differentiable"),
    "Adadelta": ("for-loop", "foreach", "capturable", "differentiable"),
    "RMSprop": ("for-loop", "foreach", "capturable", "differentiable"),
    "Rprop": ("for-loop", "foreach", "capturable", "differentiable"),
    "ASGD": ("for-loop", "foreach", "capturable", "differentiable"),
    "Adafactor": ("for-loop", "foreach"),
    "Muon": ("for-loop",),
    "LBFGS": ("for-loop",),
    "SparseAdam": ("for-loop",),
}
IMPLEMENTATIONS = ("for-loop", "foreach", "fused", "capturable", "differentiable", "compile")
DTYPES = ("float64", "float32", "bfloat16", "float16", "complex64")
SITUATIONS = (
    *("plain steps", "sizes at vector edges", "0-dimensional", "empty", "non-contiguous", "transposed", "expanded"),
    *("mixed sizes and dtypes", "groups with different decay", "parameter without gradient", "zero gradient"),
    *("frozen midway", "added later", "unfrozen late", "learning rate as a tensor", "state saved and loaded"),
    *("autocast", "GradScaler skips the first step", "GradScaler skips later", "clipped by norm", "clipped by value"),
    *("gradient accumulation", "sparse gradients", "side effects", "poisoned memory"),
)
# What a page, an XML file or a terminal could take for something else, or cannot hold at all.
ODD = "a < b & \"c\" 'd' </script><script>alert(1)</script> <!-- ]]> \x00\x1b[31m\x85\ud800\ufffe [bold]λ[/] 😀\nline 2"


def case(i: int, optimizer: str, implementation: str, dtype: str, situation: str, verdict: str) -> dict[str, Any]:
    name = f"{optimizer}-{implementation}-{dtype}-{situation.replace(' ', '_')}-{i}"
    text, check, used = (
        "",
        "update weight",
        round((i * 37 % 101) / 104 * (0.4 + 0.6 * ((len(optimizer) * 7 + len(dtype)) % 11) / 11), 4),
    )
    if verdict == "disagree":
        check, used = "state weight.exp_avg_sq", [3.2, 41.0, 81234.0, "inf"][i % 4]
        text = (
            f"exp_avg_sq[16] after step 3 is 0.0031; the reference allows 0.0029 ± 1.1e-05 ({used} times the tolerance)"
        )
    elif verdict == "known":
        check, used = "untouched gradients/weight", "inf"
        text = "foreach-nesterov-writes-grad: step() overwrites the gradients that it was given"
    elif verdict == "fixed":
        text = (
            "fused-sgd-half-tail: fused SGD now updates the whole vector; remove the entry from parity/features/known"
        )
    elif verdict == "undecidable":
        text = f"ηλ = 1e-07 is below half a unit of {dtype} at this weight"
    elif verdict == "unsupported":
        check, used, text = (
            None,
            None,
            f"`{implementation}` on complex tensors: RuntimeError: not implemented for 'ComplexFloat'",
        )
    elif verdict == "error":
        check, used, text = None, None, "IndexError: index 3 is out of bounds for dimension 0 with size 3"
    return {
        "id": name,
        "optimizer": optimizer,
        "options": {"lr": 0.1, "weight_decay": 0.01, "maximize": i % 2 == 0},
        "implementation": implementation,
        "dtype": dtype,
        "device": "cpu",
        "situation": situation,
        "size": [1, 3, 17, [3, 5], 1025][i % 5],
        "verdict": verdict,
        "check": check,
        "used": used,
        "text": text,
        "rerun": f"parity verify -k '{name}'",
        "seconds": 0.001 * (i % 40),
    }


def verdict_of(i: int, optimizer: str, implementation: str, dtype: str, situation: str) -> str:
    if optimizer == "SGD" and implementation == "fused" and dtype in ("bfloat16", "float16") and i % 7 == 0:
        return "known"
    if optimizer == "SGD" and implementation == "foreach" and situation == "side effects":
        return "known"
    if dtype == "complex64" and implementation in ("capturable", "fused", "compile"):
        return "unsupported"
    if (optimizer, implementation, dtype) == ("RAdam", "capturable", "float16") and i % 9 == 0:
        return "disagree"
    if (optimizer, implementation, dtype) == ("Adadelta", "foreach", "bfloat16") and i % 23 == 0:
        return "fixed"
    if (optimizer, implementation, dtype, situation) == ("ASGD", "differentiable", "float32", "empty"):
        return "error"
    if dtype in ("bfloat16", "float16") and situation == "groups with different decay":
        return "undecidable"
    return "agree"


def make(count: int = 6_000) -> dict[str, Any]:
    """As many cases as asked for, spread over everything that torch offers, with all verdicts among them."""
    places = [
        (optimizer, implementation, dtype, situation)
        for optimizer, implementations in OPTIMIZERS.items()
        for implementation, dtype, situation in itertools.product(implementations, DTYPES, SITUATIONS)
        if situation != "sparse gradients" or optimizer in ("SGD", "Adagrad", "SparseAdam")
    ]
    cases = []
    for i in range(count):
        place = places[i * len(places) // count if count < len(places) else i % len(places)]
        cases.append(case(i, *place, verdict_of(i, *place)))
    tally = Counter((c["optimizer"], c["situation"], c["implementation"], c["dtype"]) for c in cases)
    rows = []
    for place in itertools.product(OPTIMIZERS, SITUATIONS, IMPLEMENTATIONS, DTYPES):
        optimizer, situation, implementation, dtype = place
        number = tally[place]
        reason = None
        if not number and implementation not in OPTIMIZERS[optimizer]:
            reason = f"{optimizer} has no {implementation} implementation"
        elif not number and situation == "sparse gradients":
            reason = f"{optimizer} does not take sparse gradients"
        elif not number:
            reason = "left out of the covering array: each pair of its values occurs elsewhere"
        rows.append(
            {
                "optimizer": optimizer,
                "situation": situation,
                "implementation": implementation,
                "dtype": dtype,
                "cases": number,
                "reason": reason,
            }
        )
    return {
        "schema": 1,
        "cases": cases,
        "coverage": {"rows": rows},
        "environment": {
            "torch": "2.13.0+cpu",
            "numpy": "2.4.6",
            "python": "3.11.2",
            "device": "cpu",
            "threads": "2",
            "kernels": "AVX512",
            "system": "Linux x86_64, Intel Xeon",
            "date": "2026-11-02",
        },
        "counts": dict(Counter(c["verdict"] for c in cases)),
    }


CLEAN = ODD.translate({ord(c): "\N{REPLACEMENT CHARACTER}" for c in "\x00\x1b\x85\ud800\ufffe"})


def few(*verdicts: str, **changes: Any) -> dict[str, Any]:
    """A document with one case of each verdict named (or of all), each changed as asked."""
    cases = [
        case(i, "Adam", "foreach", "float32", "empty", verdict) | changes for i, verdict in enumerate(verdicts or LOOKS)
    ]
    return {
        "schema": 1,
        "cases": cases,
        "coverage": {"rows": []},
        "environment": {"torch": "2.13.0"},
        "counts": dict(Counter(c["verdict"] for c in cases)),
    }


def odd() -> dict[str, Any]:
    """Odd characters wherever the document has a text."""
    texts = ("optimizer", "implementation", "dtype", "device", "situation", "check", "text", "rerun")
    document = few(**dict.fromkeys(texts, ODD), options={ODD: ODD})
    for i, one in enumerate(document["cases"]):
        one["id"] = f"{i} {ODD}"
    row = {"optimizer": ODD, "situation": ODD, "implementation": ODD, "dtype": ODD, "cases": 0, "reason": ODD}
    return document | {"coverage": {"rows": [row]}, "environment": {ODD: ODD}}
