# SPDX-License-Identifier: Apache-2.0
"""The firmware on the `sim` board: what it says of itself, its store, who may talk to it."""

import hashlib
import random

import pytest
import store_device
from sim_board import Bad, dial, listening

from edgefm.codecs import CODECS
from edgefm.errors import BadInput, DeviceError, Infeasible, LinkLost
from edgefm.package.records import Feature
from host_tools.link.frames import READ_ARGS, Command, Status, encode_frame, request

DATA = random.Random(3).randbytes(30_000)


# -- what it is ------------------------------------------------------------------------------------


def test_the_device_tells_its_memories_and_build(sim, firmware):
    with sim("--fast-bytes", 65536, "--external-bytes", 4096, "--alignment", 4,
             "--results-bytes", 2000, "--name", "a-board-of-tests") as device:
        info = device.info
    assert (info.board, info.fast_bytes, info.external_bytes) == ("a-board-of-test", 65536, 4096)
    assert (info.alignment, info.build.hex()) == (4, firmware.parent.name)
    assert (info.unit, info.ticks_per_second, info.timer_works) == ("us", 1_000_000, True)
    assert info.results_bytes == 2000


def test_a_board_without_external_memory_says_that_it_lacks_the_feature(sim):
    with sim("--external-bytes", 0) as device:
        info = device.info
    assert info.external_bytes == 0
    # The page pool and the frame before are in fast memory.
    assert info.features == sum(Feature) - Feature.EXTERNAL


def test_every_codec_of_the_build_is_told(sim):
    with sim() as device:
        told = device.info.decoders
    assert told & 1 and not told & ~sum(1 << codec.id for codec in CODECS.values())


def test_a_timer_that_stands_still_is_told(sim):
    with sim("--clock", "stuck") as device:
        assert not device.info.timer_works


def test_frames_are_echoed(sim):
    with sim() as device:
        assert device._session.request(Command.ECHO, bytes(range(256))) == bytes(range(256))


def test_a_device_that_hashes_says_that_it_is_busy(sim):
    with sim() as device:
        device.put("a", DATA * 20)
        session = device._session
        asked = request(session._sequence + 1 & 255, Command.OPEN_READ,
                        READ_ARGS.pack(0, 100) + b":hash/a")
        session._transport.write(4 * encode_frame(asked))
        said = [session._receive(session._transport.clock() + 2).payload[0] for _ in range(4)]
        session._sequence = asked.sequence
    assert said == [Status.PENDING] * 3 + [Status.OK]


# -- the store -------------------------------------------------------------------------------------


def test_files_come_and_go(sim):
    with sim() as device:
        device.put("a", DATA)
        device.put("b", b"short")
        assert {one.name: one.bytes for one in device.files()} == {"a": len(DATA), "b": 5}
        assert device.get("a") == DATA
        assert device.sha256("a") == hashlib.sha256(DATA).hexdigest()
        device.put("a", b"another")
        assert device.get("a") == b"another"
        device.remove("a")
        assert [one.name for one in device.files()] == ["b"]
        with pytest.raises(DeviceError, match="there is no :a; the device holds :b"):
            device.remove("a")


def test_a_part_of_a_file_is_read(sim):
    with sim() as device:
        device.put("a", DATA)
        for start, count in [(0, 1), (0, 10_000), (29_999, 1), (123, 4567), (29_000, 5000)]:
            assert device._session.get("a", start, count) == DATA[start:start + count]


def test_space_is_told_and_kept_up_to_date(sim):
    with sim("--flash-bytes", 65536) as device:
        before = device.space()
        device.put("a", DATA)
        after = device.space()
        assert before.bytes == before.free == 65536
        assert len(DATA) <= before.free - after.free <= len(DATA) + 2 * 4096
        device._session.restart()
        assert device._session._read_info().largest_package == after.largest
        device.put("b", bytes(after.largest))
        with pytest.raises(Infeasible, match=r"c needs 5000 bytes of the store, the largest"):
            device.put("c", bytes(5000))


def test_a_file_that_does_not_fit_beside_its_old_self_needs_replace(sim):
    with sim("--flash-bytes", 65536) as device:
        device.put("a", bytes(40_000))
        with pytest.raises(Infeasible, match="--replace removes the old file first"):
            device.put("a", bytes(41_000))
        assert device.get("a") == bytes(40_000)
        device.put("a", bytes(41_000), replace=True)
        assert device.get("a") == bytes(41_000)


@pytest.mark.parametrize("name", ["", ":a", "x" * 33, "a\n"])
def test_names_that_the_store_does_not_take(sim, name):
    with sim() as device:
        with pytest.raises(BadInput, match="is not a name for a file"):
            device.put(name, b"")
        if name:
            with pytest.raises(DeviceError):
                device._session.put(name if name != "a\n" else ":nothing", b"x")
        assert device.files() == []


@pytest.mark.parametrize("name", [":", ":list2", ":output/", ":output/x", ":output/123", ":hash/",
                                  ":hash/a", ":run", ":output/0", ":nothing", "a"])
def test_names_that_cannot_be_read(sim, name):
    with sim() as device, pytest.raises(DeviceError) as error:
        device._session.get(name)
    assert error.value.status in (Status.NOT_FOUND, Status.BAD_REQUEST)


def test_the_store_outlives_a_reset_and_the_process(sim, firmware, tmp_path):
    flash = tmp_path / "flash"
    with listening(firmware, "--flash", flash) as (_, url):
        with dial(url) as device:
            device.put("a", DATA)
            device.reset()
        with dial(url) as device:
            assert device.get("a") == DATA
    with sim("--flash", flash) as device:
        assert device.get("a") == DATA


@pytest.fixture
def full(sim, native_lib, tmp_path):
    """`full()` starts a board whose store holds as many files as it takes, named 0, 1, ..."""
    flash = store_device.Flash(store_device.build(native_lib), 1100 * 256, 256, 16)
    store = store_device.Store(flash)
    for number in range(1024):
        assert store.write(str(number), b"%d" % number) == store_device.OK
    (tmp_path / "flash").write_bytes(flash.image())
    return lambda: sim("--flash", tmp_path / "flash", "--flash-bytes", flash.nor.size,
                       "--erase-bytes", 256, "--program-bytes", 16)


def test_a_full_store_is_listed_measured_and_refuses_one_name_more(full):
    with full() as device:
        assert [one.name for one in device.files()] == [str(number) for number in range(1024)]
        assert device.space().free == 76 * 256
        with pytest.raises(Infeasible, match=r"no room for new: the store holds 1,024 files and "
                                             r"takes no new name; remove some$"):
            device.put("new", b"data")
        device.put("7", b"another seven")
        device.remove("8")
        device.put("new", b"data")
        assert device.get("7") == b"another seven" and device.get("new") == b"data"
        with pytest.raises(DeviceError, match=r"no :8; the device holds :0, .*, and 1,016 more$"):
            device.get("8")


def test_a_file_is_removed_read_and_hashed_without_a_list(sim, monkeypatch):
    with sim() as device:
        device.put("a", DATA)
        read = device._session.get
        monkeypatch.setattr(device._session, "get", lambda name, *rest, **more: (
            pytest.fail("the list was read") if name == ":list" else read(name, *rest, **more)))
        assert device.find("a").bytes == len(DATA) and device.find("b") is None
        assert device.get("a") == DATA
        assert device.sha256("a") == hashlib.sha256(DATA).hexdigest()
        device.remove("a")
        assert device.find("a") is None


def test_a_board_without_flash_has_no_store(sim):
    with sim("--flash-bytes", 0) as device:
        assert device.files() == [] and device.space().bytes == 0
        with pytest.raises(Infeasible):
            device.put("a", b"x")


# -- who talks to it -------------------------------------------------------------------------------


@pytest.mark.parametrize(("command", "args"), [
    (Command.RUN, b""), (Command.RUN, b"\0\0\0\0"), (Command.RUN, b"\4\1\0\1a"),
    (Command.RUN, b"\0\1\0\5a"), (Command.REMOVE, b""), (Command.SPACE, b"x"),
    (Command.RESET, b"x"), (99, b"")])
def test_impossible_requests_are_refused(sim, command, args):
    with sim() as device:
        with pytest.raises(DeviceError) as error:
            device._session.request(command, args)
        assert error.value.status == Status.BAD_REQUEST
        assert device.files() == []


def test_a_second_client_takes_over_and_the_first_learns_it(firmware):
    with listening(firmware) as (_, url), dial(url) as first:
        first.put("a", b"1")
        with dial(url) as second:
            assert second.get("a") == b"1"
            with pytest.raises(LinkLost):
                first.files()
            assert second.get("a") == b"1"


def test_a_write_goes_on_after_the_line_was_unplugged(firmware, tmp_path):
    done = []

    class Unplugged(Exception):
        pass

    def pull(at, total):
        done.append(at)
        if at > total // 2:
            raise Unplugged

    with listening(firmware, "--flash", tmp_path / "flash") as (_, url):
        with dial(url) as device, pytest.raises(Unplugged):
            device.put("a", DATA * 4, progress=pull)
        with dial(url) as device:
            assert device.files() == []
            sent = []
            device.put("a", DATA * 4, progress=lambda at, total: sent.append(at))
            assert min(sent) > len(DATA) * 2 and device.get("a") == DATA * 4


def test_a_reset_in_the_middle_of_a_write_keeps_the_old_file_and_what_came(firmware, tmp_path):
    with listening(firmware, "--flash", tmp_path / "flash") as (_, url):
        with dial(url) as device:
            device.put("a", b"old")

            def reset(at, total):
                if at > total // 2:
                    device._session._transport.write(b"")
                    raise ConnectionResetError

            with pytest.raises(ConnectionResetError):
                device.put("a", DATA * 4, progress=reset)
            device.reset()
        with dial(url) as device:
            assert device.get("a") == b"old"
            device.put("a", DATA * 4)
            assert device.get("a") == DATA * 4


def test_files_arrive_whole_over_a_bad_line(sim):
    with sim(line=lambda line: Bad(line, 0.001)) as device:
        device.put("a", DATA)
        assert device.get("a") == DATA
        assert device.sha256("a") == hashlib.sha256(DATA).hexdigest()


