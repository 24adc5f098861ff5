# SPDX-License-Identifier: Apache-2.0
"""The capability record as bytes."""

import dataclasses

import pytest
from link_device import INFO

from edgefm.errors import BadMessage
from host_tools.link.capability import FIRST, UNITS, read_info, write_info


@pytest.mark.parametrize("unit", UNITS)
def test_the_record_comes_back_and_may_grow(unit):
    info = dataclasses.replace(INFO, unit=unit, timer_works=True, ticks_per_second=168_000_000,
                               results_bytes=4096, packings=9, kernels="dsp", target="qspi-psram")
    record = write_info(info)
    assert read_info(record) == read_info(record + b"later") == info


def test_a_record_of_version_1_0_says_nothing_of_timer_and_results():
    info = read_info(write_info(dataclasses.replace(INFO, timer_works=True))[:FIRST.size])
    assert info == INFO and not info.timer_works


def test_a_record_of_version_1_3_reads_rows_and_names_no_target():
    told = dataclasses.replace(INFO, timer_works=True, packings=9, kernels="dsp", target="x")
    assert read_info(write_info(told)[:76]) == dataclasses.replace(INFO, timer_works=True)


def test_a_record_that_is_cut_is_refused():
    record = write_info(INFO)
    for cut in range(FIRST.size):
        with pytest.raises(BadMessage, match=f"{cut} bytes, expected 64"):
            read_info(record[:cut])


def test_a_unit_that_is_not_known_is_refused():
    record = bytearray(write_info(INFO))
    record[FIRST.size] = 9
    with pytest.raises(BadMessage, match="unit 9"):
        read_info(bytes(record))
