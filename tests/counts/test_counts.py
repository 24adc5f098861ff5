# SPDX-License-Identifier: Apache-2.0
"""Instructions and bytes do not grow: 1 % more than counts.json says fails.

Improvements are printed as a warning; `python -m tests.counts.make` writes them down.
"""

import warnings
from collections.abc import Callable, Iterable

import pytest

from tests.counts import table
from tests.counts.networks import MADE_UP, MOBILENET_V2, PUBLISHED, Counted, data_folder
from tests.counts.processors import PROCESSORS, Count, Processor, counting

PARAMETERS = [pytest.param(one, id=name, marks=[pytest.mark.long] * one.long)
              for name, one in PROCESSORS.items()]


@pytest.fixture(scope="module")
def packages() -> table.Packages:
    """Networks that are compiled once for all tests."""
    return table.Packages()


@pytest.fixture(scope="module", params=PARAMETERS)
def processor(request: pytest.FixtureRequest, need: Callable[[str], str]) -> Processor:
    """A processor whose compiler is the one of which the numbers are."""
    chosen: Processor = request.param
    for program in chosen.programs:
        need(program)
    if (reason := table.other_compiler(table.read(), chosen)) is not None:
        pytest.skip(reason)
    return chosen


@pytest.fixture(scope="module")
def count(processor: Processor) -> Iterable[Count]:
    """What counts on it."""
    with counting(processor) as made:
        yield made


def hold(processor: Processor, count: Count, packages: table.Packages,
         networks: list[Counted]) -> None:
    """Compare rows with the file's."""
    expected = table.read().rows
    wrong, hints = [], []
    for name, got in table.measure(processor, count, networks, packages):
        if name not in expected:
            wrong.append(f"{name}: got a row that counts.json lacks; python -m tests.counts.make "
                         "writes it")
            continue
        wrong += table.worse(name, got, expected[name])
        hints += table.better(name, got, expected[name])
    if hints:
        warnings.warn("\n".join(["less than counts.json says; python -m tests.counts.make writes "
                                 "it down", *hints]), stacklevel=2)
    assert not wrong, "\n".join(wrong)


def test_made_up_networks_take_no_more_than_they_did(processor: Processor, count: Count,
                                                     packages: table.Packages) -> None:
    hold(processor, count, packages, list(MADE_UP))


def test_published_networks_take_no_more_than_they_did(processor: Processor, count: Count,
                                                       packages: table.Packages) -> None:
    hold(processor, count, packages, _there(one for one in PUBLISHED if not one.long))


@pytest.mark.long
def test_mobilenet_takes_no_more_than_it_did(processor: Processor, count: Count,
                                             packages: table.Packages) -> None:
    hold(processor, count, packages, _there([MOBILENET_V2]))


def _there(networks: Iterable[Counted]) -> list[Counted]:
    found = [one for one in networks if (data_folder() / one.file).is_file()]
    if not found:
        pytest.skip("needs the real models: EDGEFM_DATA names no folder with models/ in it")
    return found


def test_one_percent_more_is_too_much_and_names_its_row() -> None:
    row = {"instructions": 1000, "fast_bytes": 200}
    assert table.worse("x", row | {"instructions": 1010}, row) == []
    assert table.worse("x", row | {"instructions": 1011}, row) == [
        "x: instructions: got 1,011, expected at most 1,000 and 1 %"]
    assert table.better("x", row | {"fast_bytes": 197}, row) == [
        "x: fast_bytes: got 197, written down 200"]
    assert table.better("x", row | {"fast_bytes": 198}, row) == []


def test_every_row_of_the_file_is_of_something_that_is_counted() -> None:
    names = {table.row_name(processor, network, arena) for processor in PROCESSORS.values()
             for network in (*MADE_UP, *PUBLISHED) for arena in network.arenas}
    names |= {table.firmware_name(one) for one in PROCESSORS.values() if not one.runner}
    assert set(table.read().rows) == names


def test_numbers_of_another_compiler_are_not_compared() -> None:
    processor = PROCESSORS["cortex-m4"]
    if processor.lacks() is not None:
        pytest.skip(f"needs the program {processor.lacks()}")
    mine = {processor.compiler: table.version(processor.compiler)}
    assert table.other_compiler(table.Table(mine, {}), processor) is None
    reason = table.other_compiler(table.Table({processor.compiler: "99.1.0"}, {}), processor)
    assert reason is not None and "99.1.0" in reason
