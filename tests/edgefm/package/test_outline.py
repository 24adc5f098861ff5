# SPDX-License-Identifier: Apache-2.0
"""A package's outline: what is read of it, what a damaged one gives, the order of its input."""

import random

import numpy as np
import pytest

from edgefm.errors import BadContainer, BadInput
from edgefm.package.container import read_entries
from edgefm.package.outline import read_outline
from edgefm.package.read import read_info
from edgefm.package.records import Section


def outline(package, asked=None):
    def fetch(start, count):
        if asked is not None:
            asked.append((start, count))
        return package[start:start + count]

    return read_outline(fetch, len(package), "net")


@pytest.fixture
def package(root):
    return (root / "tests/golden/good/ends.efm").read_bytes()


def test_it_is_what_the_whole_package_says(root):
    for path in sorted((root / "tests/golden/good").glob("*.efm")):
        package = path.read_bytes()
        assert outline(package).info == read_info(package)


def test_weights_are_not_asked_for(package):
    asked = []
    outline(package, asked)
    at, size = next((at, size) for number, at, size in read_entries(package, "net", len(package))
                    if number == Section.WEIGHTS)
    assert size and all(end <= at or start >= at + size
                        for start, end in ((s, s + c) for s, c in asked))


def test_every_row_of_every_input_is_in_the_stream_once(root):
    for path in sorted((root / "tests/golden/good").glob("*.efm")):
        found = outline(path.read_bytes())
        times = 2 if path.stem == "columns" else 1  # where AGAIN asks for them twice
        assert len(set(found.order)) * times == len(found.order)
        inputs = [np.full(t.shape, i + 1, t.dtype) for i, t in enumerate(found.info.inputs)]
        stream = found.stream(inputs)
        assert len(stream) == times * sum(value.nbytes for value in inputs)
        assert sorted(stream) == sorted(times * b"".join(value.tobytes() for value in inputs))


def test_inputs_of_another_shape_type_or_number_are_refused(package):
    found = outline(package)
    good = [np.zeros(t.shape, t.dtype) for t in found.info.inputs]
    for bad in ([], good[1:], [*good, good[0]], [value[..., :0] for value in good],
                [value.astype("complex64") for value in good], None, iter(good),
                [value.tolist() for value in good], [None for _ in good]):
        with pytest.raises(BadInput):
            found.stream(bad)


def test_every_cut_is_refused(package):
    for cut in range(0, len(package), 7):
        with pytest.raises(BadContainer):
            outline(package[:cut])


def test_damage_is_refused_or_harmless(package):
    chance = random.Random(1)
    for _ in range(300):
        damaged = bytearray(package)
        for _ in range(chance.randrange(1, 4)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        try:
            outline(bytes(damaged))
        except BadContainer as error:
            assert "\n" not in str(error)
