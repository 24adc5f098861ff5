# SPDX-License-Identifier: Apache-2.0
"""Names of tensors are keys: each is there once, whatever the file says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgefm.network.graph import MOST_NAME, Tensor, distinct, with_distinct_names


@pytest.mark.parametrize(("names", "expected"), [
    (["a", "b"], ["a", "b"]),
    (["t", "t", ""], ["t", "t#1", "tensor_2"]),
    (["", "tensor_0"], ["tensor_0#0", "tensor_0"]),
    (["x#2", "x", "x"], ["x#2", "x", "x#2#2"]),
    (["x", "x", "x#1"], ["x", "x#1#1", "x#1"]),
    (["q" * 5000] * 2, ["q" * MOST_NAME, "q" * MOST_NAME + "#1"]),
])
def test_a_name_that_is_there_gets_its_index(names: list[str], expected: list[str]) -> None:
    assert distinct(names) == expected


@given(st.lists(st.text("a#1t", max_size=4), max_size=12), st.sets(st.text("a#1", max_size=3)))
def test_names_are_there_once_and_most_stay(names: list[str], taken: set[str]) -> None:
    made = distinct(names, taken)
    assert len({*made, *taken}) == len(made) + len(taken)
    for i, (name, one) in enumerate(zip(names, made, strict=True)):
        if name and name not in names[:i] and name not in taken:
            assert one == name


def test_only_names_change() -> None:
    tensors = [Tensor("x", (1, 2), "int8"), Tensor("x", (3,), "float32")]
    made = with_distinct_names(tensors)
    assert made[0] is tensors[0]
    assert (made[1].name, made[1].shape, made[1].dtype) == ("x#1", (3,), "float32")
