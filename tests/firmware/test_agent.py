# SPDX-License-Identifier: Apache-2.0
"""The firmware on the `sim` board: what it says of itself."""

import pytest

from edgefm.codecs import CODECS
from host_tools.build import build
from host_tools.link.frames import Command
from host_tools.link.session import Session
from host_tools.link.transport import ProcessTransport


@pytest.fixture(scope="session")
def firmware(need):
    need("cc")
    return build("sim")


def start(firmware, *options):
    return Session(ProcessTransport([str(firmware), *options]))


def test_the_device_tells_its_memories_and_build(firmware):
    with start(firmware, "--fast-bytes", "65536", "--external-bytes", "4096", "--alignment", "4",
               "--name", "a-board-of-tests") as session:
        info = session.info
    assert (info.board, info.fast_bytes, info.external_bytes) == ("a-board-of-test", 65536, 4096)
    assert info.alignment == 4 and info.build.hex() == firmware.parent.name


def test_a_board_without_external_memory_says_that_it_lacks_the_feature(firmware):
    with start(firmware, "--external-bytes", "0") as session:
        assert (session.info.external_bytes, session.info.features) == (0, 0)


def test_frames_are_echoed(firmware):
    with start(firmware) as session:
        assert session.request(Command.ECHO, bytes(range(256))) == bytes(range(256))


def test_every_codec_of_the_build_is_told(firmware):
    with start(firmware) as session:
        assert session.info.decoders == sum(1 << codec.id for codec in CODECS.values())
