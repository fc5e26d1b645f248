"""A file with any damage loads or is named."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from refimpl.datasets import Dataset, File
from refimpl.errors import DataError
from tests.refimpl.datasets.files import X, Y, archive, npy, npz


def loads_or_names_the_file(name: str, content: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(content)
        try:
            data = File(path=str(path)).make(np.random.default_rng(0))
        except DataError as error:
            assert str(error).startswith(str(path)) and str(error).isprintable()
        else:
            assert isinstance(data, Dataset)


@given(st.one_of(st.binary(), st.text('019.,;\t\n\r"-+e_ ax\ufeff').map(str.encode)))
def test_any_bytes_as_text_load_or_name_the_file(content: bytes) -> None:
    loads_or_names_the_file("d.csv", content)


@given(st.data())
def test_any_damage_to_an_npz_loads_or_names_the_file(data: st.DataObject) -> None:
    content = bytearray(npz(X=X, y=Y))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    loads_or_names_the_file("d.npz", bytes(content[: data.draw(st.integers(0, len(content)))]))
    loads_or_names_the_file("d.npz", bytes(content))


@given(st.integers(0, 127), st.integers(0, 255))
def test_any_damage_to_the_header_of_a_member_loads_or_names_the_file(place: int, value: int) -> None:
    member = bytearray(npy(X))
    member[place] = value
    loads_or_names_the_file("d.npz", archive(**{"X.npy": bytes(member), "y.npy": npy(Y)}))
