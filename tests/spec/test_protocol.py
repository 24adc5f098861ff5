# SPDX-License-Identifier: Apache-2.0
"""docs/PROTOCOL.md against the code: every number table in C and Python, and the transcript."""

import re
import struct

import link_device
import pytest
from link_device import LinkDevice

from edgefm.errors import BadMessage
from host_tools.link import answers, capability, device, events, frames, store
from host_tools.link.frames import Command, FrameReader, FrameType, Status

PYTHON_LIMITS = {"FRAME_EXTRA": frames.FRAME_EXTRA, "CHUNK_HEAD": frames.CHUNK_HEAD.size,
                 "INFO_MIN": capability.FIRST.size}
LAYOUTS = {"u8": "B", "i8": "b", "u16": "H", "u32": "I", "u64": "Q"}


@pytest.fixture(scope="module")
def document(root):
    return (root / "docs/PROTOCOL.md").read_text("utf-8")


@pytest.fixture(scope="module")
def header(root):
    """The numbers of link.h, status.h and the firmware's headers, by name."""
    paths = ["native/include/edgefm_status.h", *(f"firmware/common/{name}.h" for name in (
        "link", "commands", "profile", "bulk", "capability", "inference"))]
    text = "".join((root / path).read_text("utf-8") for path in paths)
    return {name: int(value) for name, value in re.findall(r"\bEFM_(\w+) = (-?\d+)", text)}


def table(document, *head):
    """Rows of the tables whose columns begin with `head`."""
    rows, inside = [], False
    for line in document.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("|"):
            inside = False
        elif cells[:len(head)] == list(head):
            inside = True
        elif inside and not set(line) <= set("|-: "):
            rows.append(cells)
    assert rows, head
    return rows


def numbers(document, first, second="Name"):
    return {row[1]: int(row[0]) for row in table(document, first, second)}


def test_limits(document, header):
    for name, value, _ in table(document, "Constant", "Value"):
        assert header[f"LINK_{name}"] == int(value), name
        assert PYTHON_LIMITS.get(name, getattr(frames, name, None)) == int(value), name


@pytest.mark.parametrize(("column", "kind"), [("Type", FrameType), ("Command", Command)])
def test_types_and_commands(document, header, column, kind):
    told = numbers(document, column)
    assert told == {member.name: member.value for member in kind}
    assert told == {name: header.get(f"LINK_{name}", header.get(f"COMMAND_{name}"))
                    for name in told}


def test_kinds_of_events(document, header):
    told = numbers(document, "Kind", "Event")
    assert told == {name: header[f"EVENT_{name}"] for name in told} and len(told) == 5
    for kind in told.values():
        with pytest.raises(BadMessage, match="bytes" if kind != told["LOG"] else "unknown"):
            events.read_event(bytes([kind if kind != told["LOG"] else 9]))


def test_status_numbers(document, header):
    told = numbers(document, "Status")
    assert told == {member.name: member.value for member in Status}
    assert told == {name: header.get(f"LINK_{name}", header.get(name)) for name in told}


def test_every_status_of_the_runtime_is_told(document, root):
    header = (root / "native/include/edgefm_status.h").read_text("utf-8")
    runtime = re.findall(r"\bEFM_(\w+) = -?\d+", header)
    assert set(runtime) <= set(numbers(document, "Status"))


def layout(arguments):
    """The struct of a list like "u8 major, u32 nonce, name"; a rest of any length is left out."""
    kinds = [LAYOUTS[field.split()[0]] for field in arguments.split(", ")
             if field.split()[0] in LAYOUTS]
    return struct.Struct("<" + "".join(kinds)).size


def test_sizes_of_arguments_and_replies(document):
    rows = {row[1]: row[2:] for row in table(document, "Command", "Name")}
    for name, args, reply in [
            ("HELLO", frames.HELLO_ARGS, frames.HELLO_REPLY),
            ("OPEN_WRITE", frames.WRITE_ARGS, frames.WRITE_REPLY),
            ("OPEN_READ", frames.READ_ARGS, frames.READ_REPLY),
            ("RUN", device.RUN_ARGS, device.RUN_REPLY),
            ("IMPORT", store.IMPORT_ARGS, struct.Struct(""))]:
        assert [layout(cell) for cell in rows[name]] == [args.size, reply.size]
    assert layout(rows["CLOSE"][0]) == frames.CLOSE_ARGS.size
    assert layout(rows["SPACE"][1]) == answers.SPACE.size


def test_byte_tables_have_no_gaps_and_their_structs_size(document):
    rows = table(document, "Offset", "Size", "Type")
    starts = [i for i, row in enumerate(rows) if row[0] == "0"]
    sizes = []
    for start, end in zip(starts, [*starts[1:], len(rows)], strict=True):
        at = 0
        for offset, size, kind, *_ in rows[start:end]:
            if not offset.isdigit() or not size.isdigit():
                break  # behind a field of any length
            assert int(offset) == at
            assert kind not in LAYOUTS or struct.calcsize("<" + LAYOUTS[kind]) == int(size)
            at += int(size)
        sizes.append(at)
    assert sizes == [frames.HEAD.size, frames.ACK.size, frames.WANT.size,
                     capability.FIRST.size + capability.LATER.size + capability.LAST.size,
                     answers.RECORD.size,
                     events.RUN_BEGIN.size, events.STAGE.size, events.RUN_END.size,
                     events.MAPS.size, events.MAP_RECORD.size]


def test_the_firmwares_sizes(header):
    assert header["CAPABILITY_BYTES"] == (
        capability.FIRST.size + capability.LATER.size + capability.LAST.size)
    assert header["BULK_RECORD"] == answers.RECORD.size
    assert header["RUN_BEGIN_BYTES"] == events.RUN_BEGIN.size
    assert header["STAGE_EVENT_BYTES"] == events.STAGE.size
    assert header["RUN_END_BYTES"] == events.RUN_END.size
    assert header["MAPS_HEAD_BYTES"] == events.MAPS.size
    assert header["MAP_RECORD_BYTES"] == events.MAP_RECORD.size
    assert header["RUN_TELL_STAGES"] == device.TELL_STAGES
    assert header["RUN_TELL_MAPS"] == device.TELL_MAPS
    assert device.MAPS_SINCE <= header["LINK_MINOR"] == frames.MINOR


def test_the_checksums_check_value(document):
    assert f"{frames.zlib.crc32(b'123456789'):X}" in document


def transcript(document):
    """(comment, the host's bytes, the device's answer) of every exchange."""
    text = re.search(r"```transcript\n(.*?)```", document, re.DOTALL)
    assert text
    for block in text[1].strip().split("\n\n"):
        told = {"host": b"", "device": b""}
        for line in block.splitlines():
            if not line.startswith("#"):
                side, code = line.split(maxsplit=1)
                told[side] += bytes.fromhex(code)
        yield block, told["host"], told["device"]


def test_the_device_answers_as_in_the_transcript(document, native_lib):
    device = LinkDevice(link_device.build(native_lib), frame=32, window=64)
    exchanges = list(transcript(document))
    assert len(exchanges) > 10
    for block, sent, answer in exchanges:
        assert device(sent) == answer, block
    assert device.files == {"a": bytes(range(1, 31))}


def test_the_transcripts_frames_are_the_hosts(document):
    for block, sent, answer in transcript(document):
        for wire in (sent, answer):
            found = FrameReader().feed(wire)
            if "damaged" in block:
                assert found == []
            else:
                assert b"".join(map(frames.encode_frame, found)) == wire
