# SPDX-License-Identifier: Apache-2.0
"""Events as bytes."""

import pytest

from edgefm.errors import BadMessage
from edgefm.package.counters import MapCounters
from host_tools.link.events import (
    MAP_RECORD,
    MAPS,
    RUN_BEGIN,
    RUN_END,
    STAGE,
    Counted,
    Log,
    Maps,
    RunBegin,
    RunEnd,
    StageBegin,
    join_maps,
    read_event,
    read_maps,
    read_run_end,
)

BYTES = (1, 2, 3, 4, 5, 6, 7)
BEGIN = RUN_BEGIN.pack(1, 9, 1 << 40, 3, b"01234567")
ONE = STAGE.pack(2, 9, 2, 77, *BYTES)
COUNTED = (MapCounters(1 << 40, 2, 3, 4, 5, 6, 7), MapCounters(8, 9, 10, 11, 12, 13, 14))
RECORDS = MAP_RECORD.pack(1 << 40, 2, 3, 4, 5, 6, 7) + MAP_RECORD.pack(8, 9, 10, 11, 12, 13, 14)
TWO = MAPS.pack(5, 9, 3, 40) + RECORDS
END = RUN_END.pack(3, 9, -14, 78, 4096, *BYTES, 8, 9, bytes(32))


def test_every_kind_is_read():
    assert read_event(BEGIN) == RunBegin(9, 1 << 40, 3, b"01234567")
    assert read_event(ONE) == StageBegin(9, 2, 77, Counted(*BYTES))
    assert read_event(END) == RunEnd(9, -14, 78, 4096, Counted(*BYTES), 8, 9, bytes(32))
    assert read_event("\4grüß".encode()) == Log("grüß")
    assert read_event(b"\4\xff") == Log("\ufffd")
    assert read_event(TWO) == Maps(9, 3, 40, COUNTED) and read_maps(RECORDS) == COUNTED


@pytest.mark.parametrize("payload", [b"", b"\0", b"\6", b"\5", BEGIN[:-1], ONE + b"x", END[:20],
                                     TWO[:-1], TWO + b"x"])
def test_others_are_refused(payload):
    with pytest.raises(BadMessage):
        read_event(payload)


def test_events_of_maps_are_joined_when_none_is_missing():
    first, second = (Maps(9, at, 3, COUNTED[:count]) for at, count in ((0, 2), (2, 1)))
    assert join_maps([first, second]) == (*COUNTED, COUNTED[0])
    for some in ([], [first], [second], [second, first], [first, first, second],
                 [first, second, second]):
        assert join_maps(some) is None


def test_only_a_run_end_is_one():
    assert read_run_end(END).status == -14
    with pytest.raises(BadMessage, match="got kind 1"):
        read_run_end(BEGIN)


def test_what_was_added_between_two_events():
    assert Counted(5, 5, 5, 5, 5, 5, 7).since(Counted(1, 2, 3, 4, 5, 0, 7)) \
        == Counted(4, 3, 2, 1, 0, 5, 0)
