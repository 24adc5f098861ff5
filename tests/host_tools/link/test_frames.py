# SPDX-License-Identifier: Apache-2.0
"""Frames and messages as bytes; the C twin is compared in tests/firmware/test_link.py."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgefm.errors import BadMessage
from host_tools.link import frames
from host_tools.link.frames import Frame, FrameReader

FRAMES = st.builds(Frame, st.integers(0, 255), st.integers(0, 255), st.binary(max_size=600))


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=1500))
def test_stuffed_bytes_hold_no_zero_and_come_back(content):
    code = frames.stuff(content)
    assert 0 not in code and len(code) <= len(content) + len(content) // 254 + 1
    assert frames.unstuff(code) == content


@pytest.mark.parametrize(("content", "code"), [
    (b"", "01"), (b"\0", "0101"), (b"\0\0", "010101"), (b"\x11\x22\0\x33", "0311220233"),
    (b"\x11\0\0\0", "0211010101"), (b"\x01" * 254, "ff" + "01" * 254),
    (b"\x01" * 255, "ff" + "01" * 254 + "0201"),
    (b"\x01" * 254 + b"\0", "ff" + "01" * 254 + "0101")])
def test_stuffing_as_published(content, code):
    assert frames.stuff(content).hex() == code


@settings(max_examples=50, deadline=None)
@given(st.lists(FRAMES, max_size=5), st.lists(st.integers(0, 3000), max_size=5))
def test_any_pieces_give_the_same_frames(sent, cuts):
    wire = b"".join(map(frames.encode_frame, sent))
    edges = [0, *sorted(min(cut, len(wire)) for cut in cuts), len(wire)]
    reader = FrameReader()
    found = []
    for start, end in itertools.pairwise(edges):
        found += reader.feed(wire[start:end])
    assert found == sent and reader.damaged == 0


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300), FRAMES)
def test_a_frame_is_found_behind_any_garbage(noise, frame):
    assert FrameReader().feed(noise + frames.encode_frame(frame))[-1:] == [frame]


def test_a_stream_without_delimiters_takes_no_memory():
    reader = FrameReader(64)
    for _ in range(100):
        assert reader.feed(b"\x01" * 10_000) == []
    assert len(reader._pending) < 100
    assert reader.feed(b"\0") == [] and reader.damaged == 1


@pytest.mark.parametrize("content", [b"", b"\1\2\0", b"\1\2\0\0\0\0\0\0", b"\1\2\1\0\0\0\0\0"])
def test_content_that_is_no_frame(content):
    assert frames.decode_content(content) is None


@pytest.mark.parametrize(("read", "payload"), [
    (frames.read_reply, b""), (frames.read_ack, bytes(12)), (frames.read_ack, bytes(14)),
    (frames.read_chunk, bytes(3))])
def test_messages_of_another_size_are_refused(read, payload):
    with pytest.raises(BadMessage):
        read(Frame(0, 0, payload))


@pytest.mark.parametrize("data", [bytes(12), bytes(14), frames.HELLO_REPLY.pack(1, 0, 0, 31, 0, 1),
                                  frames.HELLO_REPLY.pack(1, 0, 0, 4097, 0, 1),
                                  frames.HELLO_REPLY.pack(1, 0, 0, 64, 0, 33)])
def test_a_hello_reply_outside_the_limits_is_refused(data):
    with pytest.raises(BadMessage):
        frames.read_hello(data)


def test_a_status_is_signed():
    assert frames.read_reply(Frame(2, 0, b"\xd8abc")) == (frames.Status.REFUSED, b"abc")
    assert frames.read_reply(Frame(2, 0, b"\x01")) == (frames.Status.PENDING, b"")
