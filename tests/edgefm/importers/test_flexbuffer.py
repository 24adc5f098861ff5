# SPDX-License-Identifier: Apache-2.0
"""Options of custom operators, sound and damaged."""

import random

import pytest
from flatbuffers import flexbuffers

from edgefm.errors import BadInput
from edgefm.importers.flexbuffer import read_map

OPTIONS = {"a": 1, "b": -70000, "c": 0.5, "d": True, "e": False, "wide": 1 << 40}


def test_numbers_and_flags_are_read_by_name() -> None:
    for options in ({}, {"one": 1}, {"x": 0.1}, OPTIONS):
        assert read_map(bytes(flexbuffers.Dumps(options))) == options


def test_values_of_other_types_are_left_out() -> None:
    data = bytes(flexbuffers.Dumps(OPTIONS | {"text": "t", "list": [1, 2], "map": {"a": 1}}))
    assert read_map(data) == OPTIONS


def test_indirect_numbers_are_followed() -> None:
    builder = flexbuffers.Builder()
    with builder.Map():
        builder.IndirectInt("i", -5)
        builder.IndirectFloat("f", 2.5)
    assert read_map(bytes(builder.Finish())) == {"i": -5, "f": 2.5}


@pytest.mark.parametrize("data", [b"", b"\0", bytes(flexbuffers.Dumps(7)), b"\xff\xff\xff\x24\x01"])
def test_what_is_no_map_is_refused(data: bytes) -> None:
    with pytest.raises(BadInput, match="custom options"):
        read_map(data)


def test_damage_is_refused_or_read() -> None:
    good, rng = bytes(flexbuffers.Dumps(OPTIONS)), random.Random(3)
    wild = [good[:size] for size in range(len(good))]
    for _ in range(4000):
        changed = bytearray(good)
        changed[rng.randrange(len(good))] = rng.randrange(256)
        wild.append(bytes(changed))
    refused = 0
    for data in wild:
        try:
            assert all(isinstance(v, int | float) for v in read_map(data).values())
        except BadInput:
            refused += 1
    assert 0 < refused < len(wild)
