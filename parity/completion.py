"""What the shell completes at the tab key: the names of experiments, references, questions and so on.

A registry is a dict that is written out, so its keys are read from its source, which loads neither NumPy nor torch.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from pathlib import Path

from parity import gallery

Completer = Callable[[str], list[str]]


def among(names: Callable[[], Iterable[str]]) -> Completer:
    """Completes a word to those names that begin with it."""

    def complete(incomplete: str) -> list[str]:
        return [name for name in names() if name.casefold().startswith(incomplete.casefold())]

    return complete


def keys(file: str, registry: str) -> Callable[[], list[str]]:
    """The keys of the dict ``registry`` in ``file``, a path such as ``refimpl/losses/__init__.py``."""

    def read() -> list[str]:
        package, _, rest = file.partition("/")
        spec = find_spec(package)
        assert spec is not None and spec.origin is not None
        for line in ast.parse((Path(spec.origin).parent / rest).read_text(encoding="utf-8")).body:
            match line:
                case (
                    ast.Assign(targets=[ast.Name(id=name)], value=ast.Dict(keys=keys))
                    | ast.AnnAssign(target=ast.Name(id=name), value=ast.Dict(keys=keys))
                ) if name == registry:
                    return [ast.literal_eval(key) for key in keys if key is not None]
        raise AssertionError(f"{file} has no {registry}")

    return read


def _facts() -> list[str]:
    """A fact has the name of its file."""
    folder = Path(__file__).parent / "features" / "known" / "facts"
    return sorted(file.stem.replace("_", "-") for file in folder.glob("[!_]*.py"))


experiments = among(gallery.names)
facts = among(_facts)
questions = among(keys("parity/features/answers/answers.py", "ANSWERS"))
bridges = among(keys("parity/features/bridges/bridges.py", "BRIDGES"))
references = among(keys("refimpl/optimizers/__init__.py", "OPTIMIZERS"))
libraries = among(keys("refimpl/conventions/__init__.py", "CONVENTIONS"))
situations = among(keys("parity/situations/__init__.py", "SITUATIONS"))
optimizers = among(keys("parity/features/verify/options.py", "OPTIONS"))
documents = among(keys("parity/features/schema/schema.py", "DOCUMENTS"))
