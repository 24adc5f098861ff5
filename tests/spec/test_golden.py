# SPDX-License-Identifier: Apache-2.0
"""Every package that a release wrote still opens and gives the same bytes."""

import json
from pathlib import Path

import pytest

from edgefm.codecs import CODECS
from edgefm.network.program import OpKind
from edgefm.package.records import MAP, OPERATOR, Section
from tests.golden.edit import table
from tests.golden.make import GOLDEN, GOOD, outcome

PACKAGES = sorted((GOLDEN / "good").glob("*.efm"))


@pytest.mark.parametrize("path", PACKAGES, ids=lambda path: path.stem)
def test_a_golden_gives_what_it_always_gave(path: Path) -> None:
    expected = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    now = outcome(path.read_bytes())
    counters = now["counters"]
    assert isinstance(counters, dict)
    for later in counters.keys() - expected["counters"].keys():  # counted by later versions only
        assert counters.pop(later) == 0
    assert now == expected


def test_goldens_use_every_operator_and_every_codec() -> None:
    operators, codecs = set(), {0}
    for path in PACKAGES:
        sections = table(path.read_bytes())
        operators |= {row[0] for row in OPERATOR.iter_unpack(sections[Section.OPERATORS][1])}
        codecs |= {row[4] for row in MAP.iter_unpack(sections[Section.MAPS][1])}
    assert operators == set(OpKind)
    assert codecs == {codec.id for codec in CODECS.values()}


def test_goldens_stay_small_and_have_a_maker() -> None:
    assert {path.stem for path in PACKAGES} == set(GOOD)
    assert sum(path.stat().st_size for folder in ("good", "bad")
               for path in (GOLDEN / folder).iterdir()) < 380_000
