# SPDX-License-Identifier: Apache-2.0
"""Runs on the `sim` board: the host's bits, the plan's bytes, events, and every way to fail."""

import dataclasses
import hashlib
import json
from dataclasses import astuple

import numpy as np
import pytest
from long_tests import some
from networks import random_network
from packages import build
from sim_board import Bad, Interrupted, dial, listening

from edgefm.errors import BadContainer, DeviceError, Infeasible, LinkError
from edgefm.evaluate.diff import random_inputs
from edgefm.ops import run_graph
from edgefm.package.container import read_entries, read_sections, read_tiles, seal
from edgefm.package.read import read_info
from edgefm.package.records import FIRING, Section
from edgefm.planner import Target
from edgefm.runtime import Runtime
from host_tools.boards import build as boards
from host_tools.boards.build import build as build_firmware
from host_tools.cli.profile import profile_fields
from host_tools.link import frames
from host_tools.link.device import Device
from host_tools.link.events import NOTHING, Maps, RunBegin, RunEnd, StageBegin, join_maps
from host_tools.link.frames import Command, Status
from host_tools.link.transport import ProcessTransport
from tests.golden import rules
from tests.golden.edit import start

BROKEN = {rule.name: rule.when for rule in rules.BROKEN}

COUNTED = ("external_read_bytes", "external_write_bytes", "weight_read_bytes", "input_read_bytes",
           "output_write_bytes")


def made(seed=1):
    """A package, inputs, and what the slow Python twin makes of them."""
    built = build(random_network(seed), Target())
    inputs = random_inputs(built.graph, seed)
    values = run_graph(built.graph, inputs)
    return built, inputs, [values[t] for t in built.graph.outputs]


def smallest(graph, codec="raw"):
    """Planned for as little fast memory as will do."""
    with pytest.raises(Infeasible) as error:
        build(graph, Target(fast_bytes=1), codec=codec)
    return build(graph, Target(fast_bytes=error.value.smallest), codec=codec)


def digest(outputs):
    return hashlib.sha256(b"".join(value.tobytes() for value in outputs)).digest()


@pytest.mark.parametrize("codec", ["raw", "ebpc"])
@pytest.mark.parametrize("seed", some(range(6), fast=2))
def test_outputs_are_the_hosts_and_bytes_are_the_plans(sim, seed, codec):
    graph = random_network(seed)
    built = smallest(graph, codec)
    inputs = random_inputs(graph, seed)
    with Runtime(built.package) as runtime:
        expected = runtime.run(inputs)
    with sim("--fast-bytes", -(-built.plan.fast_bytes // 640) * 640) as device:
        device.put("n", built.package)
        outline = device.outline("n")
        result = device.run("n", outline.stream(inputs), outputs=outline.info.outputs)
    for value, wanted in zip(result.outputs, expected.outputs, strict=True):
        assert value.tobytes() == wanted.tobytes()
    assert result.end.outputs_sha256 == digest(expected.outputs)
    assert result.end.fast_high_water <= built.plan.fast_bytes
    counted = expected.counters
    assert astuple(result.end.counted) == astuple(counted)[:7]
    assert (result.end.coded_rows, result.end.raw_rows) == (counted.coded_rows, counted.raw_rows)
    if not any(m.codec != "raw" for m in built.plan.maps):
        for name in COUNTED:
            assert getattr(result.end.counted, name) == getattr(built.plan, name)


@pytest.mark.parametrize("name", ["external", "float", "ends", "detector", "rings", "context",
                                  "overlapped", "capped", "pool_zvc"])
def test_golden_packages_give_their_outputs(sim, root, name):
    package = (root / f"tests/golden/good/{name}.efm").read_bytes()
    inputs = random_inputs_of(package)
    with Runtime(package) as runtime:
        expected = runtime.run(inputs).outputs
    with sim("--alignment", 1) as device:
        device.put(name, package)
        outline = device.outline(name)
        result = device.run(name, outline.stream(inputs), outputs=outline.info.outputs)
    assert [v.tobytes() for v in result.outputs] == [v.tobytes() for v in expected]


def test_maps_in_the_page_pool_need_no_external_memory(sim, root):
    package = (root / "tests/golden/good/pool.efm").read_bytes()
    inputs = random_inputs_of(package)
    with Runtime(package) as runtime:
        expected = runtime.run(inputs).outputs
    with sim("--external-bytes", 0) as device:
        device.put("pool", package)
        outline = device.outline("pool")
        result = device.run("pool", outline.stream(inputs), outputs=outline.info.outputs)
    assert [v.tobytes() for v in result.outputs] == [v.tobytes() for v in expected]


def random_inputs_of(package):
    random = np.random.default_rng(5)
    return [random.integers(0, 100, t.shape).astype(t.dtype) for t in read_info(package).inputs]


def test_events_tell_every_stage_with_its_bytes(sim):
    built, inputs, outputs = made(5)
    seen = []
    with sim(on_event=seen.append) as device:
        device.put("n", built.package)
        profile = device.profile("n", device.outline("n").stream(inputs))
    begin, *stages, end = seen
    assert isinstance(begin, RunBegin) and isinstance(end, RunEnd)
    assert begin.package == hashlib.sha256(built.package).digest()[:8]
    assert begin.stages == len(built.plan.stages) == len(stages) - 1
    assert all(isinstance(one, StageBegin) for one in stages)
    assert [one.stage for one in stages] == list(range(len(stages)))
    assert stages[0].counted == NOTHING and stages[-1].counted == end.counted
    for first, second, stage in zip(stages, stages[1:], built.plan.stages, strict=False):
        took = second.counted.since(first.counted)
        assert took.external_read_bytes == stage.external_read_bytes
        assert took.external_write_bytes == stage.external_write_bytes
        assert took.weight_read_bytes == stage.weight_read_bytes
    ticks = [begin.ticks, *(one.ticks for one in stages)]
    assert ticks == sorted(ticks) and end.outputs_sha256 == digest(outputs)
    assert profile.stages == tuple(stages)


def test_events_name_the_package_that_ran(sim):
    first, second = made(1), made(2)
    seen = []
    with sim(on_event=seen.append) as device:
        for name, (built, inputs, _) in (("a", first), ("b", second), ("b", second), ("a", first)):
            device.put(name, built.package)
            device.run(name, device.outline(name).stream(inputs))
            device.remove(name)
    told = [one.package for one in seen if isinstance(one, RunBegin)]
    a, b = (hashlib.sha256(built.package).digest()[:8] for built, _, _ in (first, second))
    assert told == [a, b, b, a]


def test_telling_stages_does_not_change_what_is_measured(sim):
    """With a timer that counts bytes on the line: to the tick."""
    built, inputs, _ = made(3)
    with sim("--clock", "line") as device:
        device.put("n", built.package)
        stream = device.outline("n").stream(inputs)
        device.put("x", stream)
        plain = device.run("n", None, stored="x").end.ticks
        told = device.profile("n", None, stored="x").end.ticks
        streamed = device.profile("n", stream).end.ticks
    assert plain == told == streamed > 0


def test_a_timer_that_stands_still_is_an_error_and_no_profile(sim):
    built, inputs, outputs = made(1)
    with sim("--clock", "stuck") as device:
        device.put("n", built.package)
        stream = device.outline("n").stream(inputs)
        with pytest.raises(DeviceError, match="needs 1 ticks of a timer that advances"):
            device.profile("n", stream)
        assert device.run("n", stream).end.outputs_sha256 == digest(outputs)


def test_a_run_is_repeated(sim):
    built, inputs, outputs = made(2)
    seen = []
    with sim(on_event=seen.append) as device:
        device.put("n", built.package)
        stream = device.outline("n").stream(inputs)
        device.put("x", stream)
        end = device.run("n", stream, times=3).end
        assert end.run == 3 and end.outputs_sha256 == digest(outputs)
        assert device.run("n", None, stored="x", times=2).end.run == 5
    ends = [one for one in seen if isinstance(one, RunEnd)]
    assert [one.run for one in ends] == [1, 2, 3, 4, 5]
    assert len({one.outputs_sha256 for one in ends}) == 1


def test_an_input_longer_than_the_window_goes_over_while_the_run_takes_it(need):
    need("cc")
    small = build_firmware("sim", {"EFM_AGENT_FRAME_BYTES": 256, "EFM_AGENT_WINDOW_BYTES": 256,
                                   "EFM_AGENT_LINE_BYTES": 16})
    built, inputs, outputs = made(4)
    with Device(ProcessTransport([str(small)])) as device:
        device.put("n", built.package)
        stream = device.outline("n").stream(inputs) * 7
        assert len(stream) > 256
        device._session.feed(Command.RUN, b"\0\7\0\1n", ":input", stream)
        assert device.last_run().outputs_sha256 == digest(outputs)


@pytest.mark.parametrize("seed", range(3))
def test_a_bad_line_gives_the_same_run(sim, seed):
    built, inputs, outputs = made(1)
    with sim(line=lambda line: Bad(line, 0.002, seed)) as device:
        device.put("n", built.package)
        outline = device.outline("n")
        result = device.run("n", outline.stream(inputs), times=20, outputs=outline.info.outputs)
    assert result.end.run == 20 and result.end.outputs_sha256 == digest(outputs)
    assert [v.tobytes() for v in result.outputs] == [v.tobytes() for v in outputs]


def test_a_line_that_keeps_losing_events_is_an_error(sim, monkeypatch):
    built, inputs, _ = made(1)
    with sim() as device:
        device.put("n", built.package)
        stream = device.outline("n").stream(inputs)
        take = device._session.on_event
        monkeypatch.setattr(device._session, "on_event", lambda event: (
            take(event) if event.payload[0] != 2 else None))
        with pytest.raises(LinkError, match="lost events in each of 5 runs"):
            device.profile("n", stream)


def test_outputs_that_do_not_fit_are_not_kept_but_hashed(sim):
    built, inputs, outputs = made(1)
    size = sum(value.nbytes for value in outputs)
    with sim("--results-bytes", size - 1) as device:
        device.put("n", built.package)
        outline = device.outline("n")
        result = device.run("n", outline.stream(inputs), outputs=outline.info.outputs)
    assert result.outputs is None
    assert len(outputs) > 1 or result.end.outputs_sha256 == digest(outputs)
    assert result.end.counted.output_write_bytes == size


# -- what crosses, map by map ----------------------------------------------------------------------


@pytest.mark.parametrize("codec", ["raw", "ebpc", "context"])
@pytest.mark.parametrize("seed", some(range(4), fast=1))
def test_maps_are_counted_as_on_the_host(sim, seed, codec):
    graph = random_network(seed)
    built = smallest(graph, codec)
    inputs = random_inputs(graph, seed)
    with Runtime(built.package) as runtime:
        expected = runtime.run(inputs).maps
    seen = []
    fast = -(-built.plan.fast_bytes // 640) * 640
    with sim("--fast-bytes", fast, on_event=seen.append) as device:
        device.put("n", built.package)
        stream = device.outline("n").stream(inputs)
        result = device.run("n", stream, by_map=True)
        told = join_maps([one for one in seen if isinstance(one, Maps)])
        profile = device.profile("n", stream)
    assert result.maps == expected
    if expected:
        assert told == profile.maps == expected
        assert sum(one.write_bytes for one in expected) == result.end.counted.external_write_bytes
        kinds = [type(one) for one in seen[:seen.index(next(
            e for e in seen if isinstance(e, RunEnd))) + 1]]
        assert kinds[-2:] == [Maps, RunEnd]


@pytest.mark.parametrize("name", ["capped", "pool", "pool_zvc", "pooled", "gf2"])
def test_caps_are_counted_as_on_the_host(sim, root, name):
    package = (root / f"tests/golden/good/{name}.efm").read_bytes()
    inputs = random_inputs_of(package)
    with Runtime(package) as runtime:
        expected = runtime.run(inputs).maps
    with sim("--alignment", 1) as device:
        device.put("n", package)
        found = device.profile("n", device.outline("n").stream(inputs)).maps
    assert found == expected and len(found) == len(read_info(package).plan["maps"])
    assert name in ("capped", "gf2") or any(one.capped_rows for one in found)


def test_who_does_not_ask_is_told_nothing_of_maps(sim):
    built, inputs, _ = stored_outside()
    seen = []
    with sim(on_event=seen.append) as device:
        device.put("n", built.package)
        stream = device.outline("n").stream(inputs)
        device.run("n", stream, by_map=True)
        seen.clear()
        assert device.run("n", stream).maps is None
        assert not any(isinstance(one, Maps) for one in seen)
        with pytest.raises(DeviceError, match="NOT_FOUND"):
            device._session.get(":maps")


def test_an_older_firmware_is_not_asked(sim):
    built, inputs, _ = stored_outside()
    with sim() as device:
        device.put("n", built.package)
        stream = device.outline("n").stream(inputs)
        device._session.minor = 1
        assert device.run("n", stream, by_map=True).maps is None
        assert device.profile("n", stream).maps is None


def test_where_there_is_no_room_to_count_maps_the_run_goes_well(sim):
    """Counters lie behind the outputs; one byte too few, and there are none."""
    built, inputs, outputs = stored_outside()
    size = sum(value.nbytes for value in outputs)
    need = size + -size % 8 + 40 * len(built.plan.maps)
    for room, there in ((need, True), (need - 1, False), (size, False), (0, False)):
        seen = []
        with sim("--results-bytes", room, on_event=seen.append) as device:
            device.put("n", built.package)
            outline = device.outline("n")
            result = device.run("n", outline.stream(inputs), outputs=outline.info.outputs,
                                by_map=True)
            assert (result.maps is not None) is there
            assert any(isinstance(one, Maps) for one in seen) is there
            assert (result.outputs is not None) is (room >= size)
            if result.outputs is not None:
                assert [v.tobytes() for v in result.outputs] == [v.tobytes() for v in outputs]
            assert (device.profile("n", outline.stream(inputs)).maps is not None) is there


def test_a_run_meanwhile_leaves_a_read_of_maps_harmless(sim):
    built, inputs, outputs = stored_outside()
    with sim() as device:
        device.put("n", built.package)
        stream = device.outline("n").stream(inputs)
        device.put("x", stream)
        device.run("n", None, stored="x", by_map=True)
        session = device._session
        reply = session.request(Command.OPEN_READ, frames.READ_ARGS.pack(0, 36) + b":maps")
        number, total, _ = frames.READ_REPLY.unpack(reply)
        assert total == 36 * len(built.plan.maps)
        session.request(Command.RUN, b"\0\1\0\1nx")
        session._transport.write(frames.encode_frame(frames.want(number, 0, [0])))
        frame = session._receive(session._transport.clock() + 5)
        assert frames.read_chunk(frame) == (0, bytes(36))
        assert device.run("n", stream).end.outputs_sha256 == digest(outputs)


# -- what cannot be run ----------------------------------------------------------------------------


def refused(device, name, stream, status, text):
    with pytest.raises(DeviceError, match=text) as error:
        device.run(name, stream)
    assert error.value.status == status


SMALLER = (("--fast-bytes", 640, "bytes of fast memory, there are 640"),
           ("--external-bytes", 8, "bytes of external memory, there are 8"),
           ("--alignment", 64, "alignment of external memory, there are 64"))


@pytest.mark.parametrize(("option", "value", "text"), SMALLER, ids=[one[0] for one in SMALLER])
def test_what_does_not_fit_is_refused_before_it_is_stored(sim, option, value, text):
    external = made(1)[0] if "fast" in text else stored_outside()[0]
    with sim(option, value) as device:
        device.put("n", b"before")
        with pytest.raises(DeviceError, match="refuses :n: it has less memory, or another align"
                           ) as error:
            device.put("n", external.package)
        assert error.value.status == Status.BAD_ARGUMENT
        assert device.get("n") == b"before"


@pytest.mark.parametrize(("option", "value", "text"), SMALLER, ids=[one[0] for one in SMALLER])
def test_what_was_stored_for_a_larger_board_is_refused_with_need_and_have(
        sim, tmp_path, option, value, text):
    external = made(1)[0] if "fast" in text else stored_outside()[0]
    with sim("--flash", tmp_path / "flash") as device:
        device.put("n", external.package)
    with sim("--flash", tmp_path / "flash", option, value) as device:
        refused(device, "n", b"", Status.REFUSED, text)


def test_input_of_another_size_is_refused_with_need_and_have(sim):
    external, inputs, outputs = stored_outside()
    with sim() as device:
        device.put("n", external.package)
        stream = device.outline("n").stream(inputs)
        refused(device, "n", stream + b"x", Status.REFUSED, "bytes of input, there are")
        with pytest.raises(DeviceError, match=f"needs {len(stream)} bytes of input, there are 0"):
            device._session.request(Command.RUN, b"\0\1\0\1n")
        assert device.run("n", stream).end.outputs_sha256 == digest(outputs)


def stored_outside():
    """A package with maps in external memory, its inputs and outputs."""
    for seed in range(100):
        built = smallest(random_network(seed))
        if built.plan.external_bytes:
            inputs = random_inputs(built.graph, seed)
            with Runtime(built.package) as runtime:
                return built, inputs, runtime.run(inputs).outputs
    raise AssertionError("no seed has one")


def test_damaged_packages_are_refused_and_the_device_goes_on(sim, root):
    built, inputs, outputs = made(1)
    with sim() as device:
        device.put("good", built.package)
        stream = device.outline("good").stream(inputs)
        for at in (100, len(built.package) - 1, start(built.package, Section.WEIGHTS)):
            with pytest.raises(DeviceError, match=r"refuses :bad: the package is damaged \(BAD_CH"):
                device.put("bad", flip(built.package, at))
            assert device.find("bad") is None
        device.put("bad", b"no package at all")
        refused(device, "bad", stream, Status.BAD_MAGIC, "RUN: BAD_")
        with pytest.raises(DeviceError, match="NOT_FOUND"):
            device._session.request(Command.RUN, b"\0\1\0\1y")
        assert device.run("good", stream).end.outputs_sha256 == digest(outputs)


@pytest.mark.parametrize("name", ["ported", "ported_kept", "ported_tiles"])
def test_damage_in_any_section_is_refused_and_the_old_package_stays(sim, root, name):
    """Weights behind the port included, and a tile under a package's right checksum."""
    package = (root / f"tests/golden/good/{name}.efm").read_bytes()
    sections = read_entries(package, name, len(package))
    weights = next(at for section, at, _ in sections if section == Section.WEIGHTS)
    tiles = [weights + tile.offset for tile in read_tiles(read_sections(package, name))]
    damaged = [flip(package, at + size // 2) for _, at, size in sections if size]
    with sim() as device:
        device.put("n", package)
        for wrong in (*damaged, *(seal(flip(package, at), tiles=False) for at in tiles)):
            with pytest.raises(DeviceError, match=r"refuses :n: the package is damaged \(BAD_CH"):
                device.put("n", wrong)
        assert [file.name for file in device.files()] == ["n"]
        assert device.get("n") == package


def flip(package, at):
    """The package with one bit changed."""
    return package[:at] + bytes([package[at] ^ 1]) + package[at + 1:]


def test_every_bad_golden_package_is_refused_by_its_name(sim, root):
    with sim() as device:
        for path in sorted((root / "tests/golden/bad").glob("*.efm"))[::4]:
            with pytest.raises(DeviceError) as error:
                device.put("bad", path.read_bytes())
                device._session.feed(Command.RUN, b"\0\1\0\3bad", ":input", b"")
            if device.find("bad"):  # not a package, or a fault that running finds if there is input
                assert path.stem.startswith("magic") or BROKEN[path.stem.split("__")[0]] == "run"
                assert error.value.status in (Status.BAD_MAGIC, Status.REFUSED)
                device.remove("bad")
            else:
                assert error.value.status == Status[path.stem.split("__EFM_")[1]], path.stem
        assert device.files() == []


def test_packages_of_version_1_are_refused_by_their_version(sim, root):
    with sim() as device:
        for path in (root / "tests/golden/version_1").glob("*.efm"):
            with pytest.raises(DeviceError, match=r"it reads another package format \(BAD_VERSION"):
                device.put("old", path.read_bytes())
        assert device.files() == []


def test_a_head_that_rots_in_flash_is_noticed_and_a_weight_is_not(sim, tmp_path):
    """What docs/FORMAT.md says of flash that is read in place."""
    built, inputs, _ = made(1)
    flash = tmp_path / "flash"
    with sim("--flash", flash) as device:
        device.put("n", built.package)
        stream = device.outline("n").stream(inputs)
    image = flash.read_bytes()
    at = image.index(built.package)
    for section, status in ((Section.STREAMS, Status.BAD_CHECKSUM), (Section.WEIGHTS, Status.OK)):
        rotten = bytearray(image)
        rotten[at + start(built.package, section)] ^= 1
        flash.write_bytes(rotten)
        with sim("--flash", flash) as device:
            if status != Status.OK:
                refused(device, "n", stream, status, "BAD_CHECKSUM")
                continue
            assert device.run("n", stream).end.status == Status.OK
            with pytest.raises(BadContainer, match="checksum"):
                read_info(bytes(rotten[at:at + len(built.package)]), "n")


def test_a_package_that_stops_in_the_middle_says_why(sim):
    """Firings that need what is not there: the device finds it while it runs."""
    built, inputs, outputs = made(1)
    with sim() as device:
        device.put("good", built.package)
        stream = device.outline("good").stream(inputs)
        device.put("bad", without_last_firing(built.package))
        refused(device, "bad", stream, Status.BAD_SCHEDULE, "BAD_SCHEDULE")
        assert device.last_run().status == Status.BAD_SCHEDULE
        with pytest.raises(DeviceError, match="NOT_FOUND"):
            device._session.get(":output/0")
        assert device.run("good", stream).end.outputs_sha256 == digest(outputs)


def without_last_firing(package):
    """The last firing becomes a second one of the operator before."""
    at, size = next((at, size) for number, at, size in read_entries(package, "net", len(package))
                    if number == Section.FIRINGS)
    data = bytearray(package)
    data[at + size - FIRING.size:at + size] = data[at:at + FIRING.size]
    return seal(bytes(data))


# -- who ends a run --------------------------------------------------------------------------------


def test_ctrl_c_ends_the_run_and_the_device_stays_usable(sim):
    built, inputs, outputs = made(1)
    lines = []

    def line(inner):
        lines.append(Interrupted(inner, 4))
        return lines[0]

    with sim(line=line) as device:
        device.put("n", built.package)
        stream = device.outline("n").stream(inputs)
        lines[0].armed = True
        with pytest.raises(KeyboardInterrupt):
            device.run("n", stream, times=60_000 // len(stream))
        assert device.run("n", stream).end.outputs_sha256 == digest(outputs)


def test_a_new_client_ends_a_run_that_waits_for_its_input(firmware):
    built, inputs, outputs = made(1)
    with listening(firmware) as (_, url), dial(url) as first:
        first.put("n", built.package)
        stream = first.outline("n").stream(inputs)
        session, seen = first._session, []
        first._on_event = seen.append
        session._open_write(":input", stream, 16)
        session._transport.write(frames.encode_frame(frames.request(
            session._sequence + 1 & 255, Command.RUN, b"\0\1\0\1n")))
        while not seen:  # until it has begun
            session._receive(session._transport.clock() + 1)
        with dial(url) as second:
            end = second.last_run()
            assert end.status == Status.HOST_FAILED
            assert second.run("n", stream).end.outputs_sha256 == digest(outputs)


def test_profiles_as_the_command_line_prints_them(sim):
    built, inputs, outputs = made(2)
    with sim() as device:
        device.put("n", built.package)
        outline = device.outline("n")
        fields = profile_fields(device.info, outline.info,
                                device.profile("n", outline.stream(inputs)))
    json.dumps(fields)
    assert sum(stage["weight_read_bytes"] for stage in fields["stages"]) \
        == fields["weight_read_bytes"] == built.plan.weight_read_bytes
    assert fields["outputs_sha256"] == digest(outputs).hex()


# Its own packing is the tile with limits that make every result the number of times it packed.
COUNTING_KERNEL = """
#include <string.h>
#include "KERNELS/kernel.h"
#include "KERNELS/table.h"

static int usable(void)
{
    return 1;
}

static uint32_t head(const efm_tile *tile)
{
    return EFM_TABLE_HEAD_BYTES + EFM_CHANNEL_BYTES * tile->out;
}

static uint32_t pack_bytes(const efm_tile *rows)
{
    return head(rows) + rows->out * rows->depth;
}

static void pack(const efm_tile *rows, uint8_t *to)
{
    static uint8_t times;
    memcpy(to, rows->table, pack_bytes(rows));
    to[EFM_TABLE_AT_LOW] = to[EFM_TABLE_AT_HIGH] = ++times;
}

static void conv(const efm_conv_call *call)
{
    efm_conv_call rows = *call;
    if (call->tile.packing == EFM_PACKING_OWN) {
        rows.tile.weights = (const int8_t *)call->tile.table + head(&call->tile);
    }
    efm_portable_conv(&rows);
}

const efm_kernel efm_kernel_counting = {
    .name = "counting", .usable = usable, .conv_packings = 1, .depthwise_packings = 1,
    .alignment = 1, .run_bytes = UINT32_MAX, .conv = conv, .depthwise = efm_portable_depthwise,
    .conv_scratch = efm_portable_conv_scratch, .depthwise_scratch = efm_portable_depthwise_scratch,
    .conv_pack_bytes = pack_bytes, .conv_pack = pack};
"""


@pytest.fixture
def counting(root, need, tmp_path, monkeypatch):
    """The `sim` board with a kernel from outside the tree."""
    need("cc")
    (tmp_path / "counting.c").write_text(
        COUNTING_KERNEL.replace("KERNELS", str(root / "native/src/kernels")))
    made = boards.recipe("sim")
    with_kernel = dataclasses.replace(made, folders=(*made.folders, str(tmp_path)))
    monkeypatch.setattr(boards, "recipe", lambda board: with_kernel)
    return build_firmware("sim", {"EFM_KERNEL_EXTRA": "efm_kernel_counting"})


def test_a_process_packs_weights_once_for_its_kernels_until_the_store_changes(root, counting):
    package = (root / "tests/golden/good/example.efm").read_bytes()

    def outputs(device):
        result = device.run("n", stream, outputs=outline.info.outputs)
        assert result.end.fast_high_water <= outline.info.plan["fast_bytes"]
        return {int(value) for output in result.outputs for value in output.ravel()}

    with Device(ProcessTransport([str(counting)])) as device:
        assert device.info.kernels == "counting"
        device.put("n", package)
        outline = device.outline("n")
        with Runtime(package) as runtime:
            stream = outline.stream([np.zeros(i.shape, i.dtype) for i in runtime.inputs])
        assert [outputs(device) for _ in range(2)] == [{1}, {1}]
        device.put("other", b"any file")
        assert outputs(device) == {2}
