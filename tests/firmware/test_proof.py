# SPDX-License-Identifier: Apache-2.0
"""Tests of external memory that the device carries out: sound memory passes, faults are found."""

import pytest

from edgefm.errors import BadInput, DeviceError
from host_tools.link.frames import Command, Status
from host_tools.link.memory_test import ARGS, EXTERNAL, MIXED, READ, REPLY, WRITE, Pass, passes

SIZE = 256 << 10


def outcome(device, order):
    """What a pass finds; None where the port refuses."""
    try:
        return device.test_memory(order)
    except DeviceError as error:
        assert error.status == Status.PORT_FAILED
        return None


def failing(device):
    """The passes that fail."""
    return [order for order in passes(device.info)
            if (found := outcome(device, order)) is None or not found.well]


@pytest.mark.parametrize("alignment", [1, 4, 32])
@pytest.mark.parametrize("fast", [4096, 1 << 20])
def test_sound_memory_passes_every_test(sim, alignment, fast):
    with sim("--external-bytes", SIZE, "--alignment", alignment, "--fast-bytes", fast) as device:
        names = [order.name for order in passes(device.info)]
        assert len(names) > 20 and failing(device) == []


def test_every_address_and_length_is_used(sim):
    with sim("--external-bytes", SIZE) as device:
        orders = passes(device.info)
    assert {order.bytes for order in orders} == {SIZE, 8192}
    assert {order.piece for order in orders} >= {1, 2, 3, 63, 64, 65, 256, 4096}
    assert {order.lead for order in orders} == set(range(8))
    assert {order.overlap for order in orders} == {1, 2, 3, 4}


FAULTS = {
    "stuck": lambda order: order.bytes == SIZE or order.piece != 8192,
    "alias": lambda order: order.bytes == SIZE,
    "weak": lambda order: order.flags & READ,
    "long": lambda order: order.piece > 128,
    "pointer": lambda order: order.lead % 4 != 0,
    "overlap": lambda order: order.flags == WRITE | READ,
    "spill": lambda order: order.flags & READ,
    "refuse": lambda order: order.piece > 64,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_fails_tests_that_can_see_it_and_no_others(sim, fault):
    with sim("--external-bytes", SIZE, "--fault", fault) as device:
        found = failing(device)
        assert found and all(FAULTS[fault](order) for order in found)
        if fault in ("long", "refuse", "spill"):  # nothing that shows it is missed
            expected = [order for order in passes(device.info) if FAULTS[fault](order)
                        and (order.flags & READ or fault == "refuse")]
            assert {order.name for order in found} == {order.name for order in expected}
        if fault == "pointer":
            assert {order.lead for order in found} == {1, 2, 3, 5, 6, 7}
        if fault == "overlap":
            assert {order.overlap for order in found} >= {2, 3, 4}


def test_a_report_says_where_and_which_bits(sim):
    with sim("--external-bytes", SIZE, "--fault", "stuck") as device:
        orders = {(order.name, order.flags): order for order in passes(device.info)}
        device.test_memory(orders["0xff everywhere", WRITE])
        found = device.test_memory(orders["0xff everywhere", READ])
    assert (found.wrong, found.first, found.expected, found.got, found.bits, found.spilled) == (
        1, 12345, 0xFF, 0xF7, 8, 0)


def test_bytes_follow_the_formula_of_the_document(sim, tmp_path):
    path = tmp_path / "external"
    with sim("--external", path, "--external-bytes", 4096) as device:
        device.test_memory(Pass("", WRITE, 1000, 100, MIXED, 0xFFFFFFF0, address=500))
    data = path.read_bytes()
    for address in (500, 501, 503, 504, 1499):
        mixed = (address // 4 + 0xFFFFFFF0) * 0x9E3779B1 % (1 << 32)
        mixed ^= mixed >> 15
        assert data[address] == mixed >> 8 * (address % 4) & 255
    assert not any(data[:500]) and not any(data[1500:])


def test_ticks_count_transfers(sim):
    """On a timer that goes on with each look at it: two looks around each beginning, three at each
    end."""
    with sim("--external-bytes", SIZE, "--clock", "line") as device:
        few, many = (device.test_memory(Pass("", WRITE, 4096, piece)) for piece in (1024, 256))
        assert few.read_ticks == many.read_ticks == 0
        assert many.write_ticks == 4 * few.write_ticks > 0
        both = device.test_memory(Pass("", WRITE | READ, 4096, 256))
        assert both.read_ticks > 0 and both.write_ticks == many.write_ticks


@pytest.mark.parametrize("change", [
    {"memory": 1}, {"flags": 0}, {"flags": 4}, {"pattern": 2}, {"overlap": 0}, {"overlap": 5},
    {"lead": 8}, {"piece": 0}, {"bytes": 0}, {"address": SIZE}, {"bytes": SIZE + 4},
    {"address": 2}, {"bytes": 6}, {"piece": 6}, {"address": 0xFFFFFFFC}])
def test_orders_that_make_no_sense_are_refused(sim, change):
    order = {"memory": EXTERNAL, "flags": 3, "pattern": MIXED, "overlap": 1, "lead": 0,
             "piece": 64, "address": 0, "bytes": 128, "seed": 1}
    with sim("--external-bytes", SIZE, "--alignment", 4) as device:
        reply = device._session.request(Command.TEST, ARGS.pack(*order.values()))
        assert len(reply) == REPLY.size
        with pytest.raises(DeviceError) as error:
            device._session.request(Command.TEST, ARGS.pack(*{**order, **change}.values()))
        assert error.value.status == Status.BAD_REQUEST
        with pytest.raises(DeviceError):
            device._session.request(Command.TEST, bytes(3))


def test_pieces_that_the_arena_cannot_hold_are_refused(sim):
    with sim("--external-bytes", SIZE, "--fast-bytes", 2048) as device:
        with pytest.raises(DeviceError) as error:
            device.test_memory(Pass("", WRITE, 4096, 1024, overlap=2))
        assert error.value.status == Status.BAD_ARGUMENT
        assert device.test_memory(Pass("", WRITE, 4096, 900)).well


def test_a_board_without_external_memory_has_none_to_test(sim):
    with sim("--external-bytes", 0) as device:
        with pytest.raises(BadInput, match="no external memory"):
            passes(device.info)
        with pytest.raises(DeviceError) as error:
            device.test_memory(Pass("", WRITE, 4, 4))
        assert error.value.status == Status.REFUSED
