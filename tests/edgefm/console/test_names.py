# SPDX-License-Identifier: Apache-2.0
"""Names in tables are short, and different tensors never look alike."""

import random

import pytest

from edgefm.console.names import distinct, short, stage_labels

FUSED = "/batch_norm/FusedBatchNormV3;StatefulPartitionedCall/Conv/weights"


def test_a_name_that_is_alone_keeps_its_end() -> None:
    assert short("net/conv;net/relu") == "net/conv"
    assert short("a" * 40 + "/tail") == f"…{'a' * 30}/tail"


def test_layers_whose_names_end_alike_are_told_by_their_beginnings() -> None:
    names = [f"MobileNetV2/expanded_conv_{i}/project{FUSED}" for i in range(1, 17)]
    assert list(distinct(names).values()) == [
        f"expanded_conv_{i}/project/batch_norm" for i in range(1, 17)]


def test_of_joined_names_the_first_that_no_other_has_is_shown() -> None:
    assert list(distinct(["same;first", "same;second"]).values()) == ["first", "second"]


def test_names_that_are_short_and_different_stay() -> None:
    assert distinct(["a/relu", "b/relu", "a/relu"]) == {"a/relu": "a/relu", "b/relu": "b/relu"}


@pytest.mark.parametrize("names", [
    ["x" * 50 + "a" + "x" * 50, "x" * 50 + "b" + "x" * 50],
    ["a;b", "b;a", "a;b;c", ";", "", ";;"],
    ["n", "n #2", "n;n", ";n"],
    ["/" * n for n in range(1, 60)],
    ["q" * 17 + "…" + "q" * 18, "q" * 60, "q" * 61],
])
def test_different_names_never_look_alike(names: list[str]) -> None:
    told = distinct(names)
    assert len(set(told.values())) == len(names)
    assert all(len(text) <= 36 for text in told.values())


def test_made_up_names_never_look_alike() -> None:
    draw = random.Random(5)
    for _ in range(300):
        names = {"".join(draw.choices("ab/;#2 …", k=draw.randrange(60))) for _ in range(12)}
        told = distinct(names, 12)
        assert len(set(told.values())) == len(names)
        assert all(len(text) <= 12 for text in told.values())


def test_a_stage_is_called_by_its_first_operator() -> None:
    assert stage_labels(["in;x .. a/relu", "b .. c;d", "b2"]) == ["in", "b", "b2"]
