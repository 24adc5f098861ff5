# SPDX-License-Identifier: Apache-2.0
"""Files that reach the store through external memory, which the host shares with the board."""

import random
import zlib

import pytest

from edgefm.errors import DeviceError, Infeasible
from host_tools.link.frames import Command, Status
from host_tools.link.shared_memory import SharedMemory
from host_tools.link.store import IMPORT_ARGS, WORTH_SHARING

DATA = random.Random(8).randbytes(36_865)
BYTES = 1 << 16


@pytest.fixture
def shared(sim, tmp_path):
    """A board, and its external memory as a file."""
    def start(*options):
        path = tmp_path / "external"
        device = sim("--external", path, "--external-bytes", BYTES, *options)
        device._memory = SharedMemory(path, 0, BYTES)
        return device
    return start


def importing(name=b"a", data=DATA, at=0, replace=0, crc=None):
    crc = zlib.crc32(data) if crc is None else crc
    return IMPORT_ARGS.pack(replace, at, len(data), crc) + name


def refused(device, args):
    with pytest.raises(DeviceError) as caught:
        device._session.request(Command.IMPORT, args)
    return caught.value.status


@pytest.mark.parametrize("options", [(), ("--alignment", 256), ("--fast-bytes", 1000)])
def test_a_large_file_takes_the_short_way(shared, options):
    with shared(*options) as device:
        device._session.put = None  # not over the line
        told = []
        device.put("a", DATA, progress=lambda done, total: told.append((done, total)))
        assert device.get("a") == DATA and told == [(len(DATA), len(DATA))]


def test_small_files_and_those_larger_than_the_memory_go_over_the_line(shared):
    with shared() as device:
        device._import = None
        device.put("small", DATA[:WORTH_SHARING - 1])
        device.put("large", DATA * 2)
        assert device.get("large") == DATA * 2


def test_what_is_not_what_was_announced_leaves_the_old_file(shared):
    with shared() as device:
        device.put("a", b"old")
        device.put("b", DATA)
        assert refused(device, importing(crc=1)) == Status.BAD_CHECKSUM
        assert device.get("a") == b"old"
        device.put("a", DATA)
        assert device.get("a") == DATA


def test_a_write_over_the_line_may_be_finished_this_way(shared):
    with shared("--alignment", 4096) as device:
        def stop(done, total):
            if done > 1500:
                raise InterruptedError
        with pytest.raises(InterruptedError):
            device._session.put("a", DATA, stop)
        device.put("a", DATA)
        assert device.get("a") == DATA


def test_no_room_is_told_as_ever(shared):
    with shared("--flash-bytes", 1 << 16) as device:
        device.put("a", DATA)
        with pytest.raises(Infeasible, match="--replace"):
            device.put("a", DATA[::-1])
        device.put("a", DATA[::-1], replace=True)
        assert device.get("a") == DATA[::-1]


@pytest.mark.parametrize("args", [
    b"", importing(b""), importing(b":a"), importing(replace=2), importing(at=BYTES),
    importing(at=BYTES - len(DATA) + 1), importing(at=0xffffffff), importing(at=3)])
def test_impossible_requests_are_refused(shared, args):
    with shared("--alignment", 4) as device:
        assert refused(device, args) == Status.BAD_REQUEST
        assert device.files() == []


def test_without_memory_or_store_it_is_refused(sim):
    for option in ("--external-bytes", "--flash-bytes"):
        with sim(option, 0) as device:
            assert refused(device, importing()) == Status.REFUSED
