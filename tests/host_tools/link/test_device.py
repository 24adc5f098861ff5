# SPDX-License-Identifier: Apache-2.0
"""A device that lies: every lie ends in one line of error, soon, and in little memory."""

import hashlib
import random
import struct
import tracemalloc
import zlib
from dataclasses import replace as replace_fields

import numpy as np
import pytest
from lying_device import INFO, STORE, Line, LyingDevice, Read

from edgefm.errors import BadContainer, BadInput, BadMessage, DeviceError, EdgefmError, LinkError
from edgefm.package import outline
from edgefm.package.outline import tensor_bytes
from edgefm.package.read import read_info
from edgefm.package.records import FIRING, TENSOR, Section
from host_tools.cli import main
from host_tools.link import device as device_module
from host_tools.link.answers import RECORD
from host_tools.link.bulk import Timing
from host_tools.link.device import Device
from host_tools.link.events import RUN_END
from host_tools.link.frames import ACK, CHUNK_HEAD, READ_REPLY, FrameType, Status
from tests.golden import edit
from tests.golden.edit import chain, header, replace, table

MIB = 1 << 20
MOST_MEMORY = 64 * MIB  # beyond what an honest device costs


@pytest.fixture(scope="module")
def package(root):
    return (root / "tests/golden/good/ends.efm").read_bytes()


@pytest.fixture
def info(package):
    return read_info(package)


@pytest.fixture
def liar(package, info):
    outputs = [random.Random(i).randbytes(tensor_bytes(one)) for i, one in enumerate(info.outputs)]
    return LyingDevice({"net.efm": package}, outputs, len(info.plan["stages"]))


@pytest.fixture
def board(liar):
    with Device(Line(liar)) as device:
        yield device


def noise(info):
    return [np.zeros(tensor.shape, tensor.dtype) for tensor in info.inputs]


def run(board, info):
    found = board.outline("net.efm")
    return board.run("net.efm", found.stream(noise(info)), outputs=found.info.outputs)


def test_an_honest_device_is_believed(board, liar, info):
    result = run(board, info)
    assert [value.tobytes() for value in result.outputs] == liar.outputs
    assert board.profile("net.efm", board.outline("net.efm").stream(noise(info))).end.run == 2
    assert board.sha256("net.efm") == hashlib.sha256(liar.files["net.efm"]).hexdigest()
    assert board.get("net.efm") == liar.files["net.efm"]


def entry(size, name=b"net.efm", name_bytes=None):
    return Read(RECORD.pack(size, 0, len(name) if name_bytes is None else name_bytes, name))


@pytest.mark.parametrize("listed", [
    entry(2**32 - 1), entry(STORE + 1), entry(1, name_bytes=0), entry(1, name_bytes=255),
    Read(b"x"), Read(b"", total=2**32 - 1), Read(b"", total=49 << 16)])
def test_an_impossible_list_is_refused(board, liar, listed):
    liar.reads[":list"] = listed
    with pytest.raises(BadMessage):
        board.files()


@pytest.mark.parametrize("size", [STORE + 1, 2**31, 2**32 - 1])
def test_a_file_larger_than_the_store_is_refused_unread(board, liar, size):
    liar.reads["net.efm"] = Read(b"x", total=size)
    for ask in (board.get, board.outline, board.find):
        with pytest.raises(BadMessage, match=f"net.efm of {size} bytes, expected at most {STORE}"):
            ask("net.efm")


@pytest.mark.parametrize("size", [0, 1, STORE])
def test_a_file_that_holds_no_package_is_refused(board, liar, size):
    liar.reads["net.efm"] = Read(bytes(size))
    with pytest.raises(BadContainer):
        board.outline("net.efm")


@pytest.mark.parametrize("change", [-1, 1, 2**32 - 1, 2**31])
def test_outputs_of_another_size_are_refused_unread(board, liar, info, change):
    size = len(liar.outputs[0])
    total = change if change > 1 else size + change
    liar.reads[":output/0"] = Read(liar.outputs[0][:total], total=total)
    with pytest.raises(BadMessage, match=f":output/0 of {total} bytes, expected"):
        run(board, info)


def test_outputs_of_another_sha256_than_the_run_ended_with_are_refused(board, liar, info):
    changed = bytes([liar.outputs[0][0] ^ 1]) + liar.outputs[0][1:]
    liar.reads[":output/0"] = Read(changed)
    with pytest.raises(BadMessage, match="outputs of SHA-256 .*, the run ended with"):
        run(board, info)


def test_a_run_that_ended_with_an_error_is_one_however_the_reply_was(board, liar, info):
    liar.status = Status.PORT_FAILED
    for call in (lambda: run(board, info), lambda: board.profile("net.efm", b"")):
        with pytest.raises(DeviceError, match=r"ended with PORT_FAILED \(-13\)"):
            call()


def test_the_end_of_another_run_is_refused(board, liar, info):
    liar.reads[":run"] = Read(RUN_END.pack(3, 77, 0, 0, 0, *[0] * 7, 0, 0, b"\0" * 32))
    with pytest.raises(BadMessage, match="reported the end of run 77, expected run 1"):
        run(board, info)


@pytest.mark.parametrize(("name", "said"), [(":run", Read(b"", total=2**32 - 1)),
                                            (":run", Read(b"\3")), (":run", Read(bytes(122)))])
def test_an_end_of_a_run_that_is_none_is_refused(board, liar, info, name, said):
    liar.reads[name] = said
    with pytest.raises(BadMessage):
        run(board, info)


def test_more_events_than_any_run_has_are_refused(board, liar, monkeypatch):
    monkeypatch.setattr(device_module, "MOST_EVENTS", 100)
    liar.extra_events = [b"\4hello"] * 200
    with pytest.raises(BadMessage, match="more than 100 events of one run"):
        board.profile("net.efm", b"")


def test_many_runs_are_asked_for_in_parts(board, liar, info, monkeypatch):
    stream = board.outline("net.efm").stream(noise(info))
    monkeypatch.setattr(device_module, "MOST_STREAM", 3 * len(stream))
    board.run("net.efm", stream, times=7)
    assert liar.runs == 3


@pytest.mark.parametrize("name", ["", ":x", "x" * 33, "\x1b[2J", "a\nb", "\udcff", "é" * 17])
def test_names_that_no_store_takes_are_refused_unsent(board, liar, name):
    for call in (lambda: board.get(name), lambda: board.remove(name), lambda: board.sha256(name),
                 lambda: board.put(name, b""), lambda: board.outline(name)):
        with pytest.raises(BadInput, match="is not a name for a file on a device"):
            call()
    if name:
        with pytest.raises(BadInput, match="is not a name"):
            board.run("net.efm", None, stored=name)
    assert liar.runs == 0


# -- packages ----------------------------------------------------------------------------------


def forged(package, section, data):
    """The package with a section's bytes exchanged for others."""
    return replace(section, lambda _: data)(package)


def section_of(package, wanted):
    return table(package)[wanted][1]


@pytest.mark.parametrize(("rows", "count"), [(65535, 2000), (65535, 1), (1, 200_000)])
def test_a_schedule_of_more_rows_than_the_inputs_have_is_refused(liar, board, package, rows, count):
    liar.files["net.efm"] = forged(package, Section.FIRINGS, FIRING.pack(0, rows) * count)
    with pytest.raises(BadContainer, match="its schedule is damaged: .*rows"):
        board.outline("net.efm")


@pytest.mark.parametrize("size", [60_000, 2**32 - 1])
@pytest.mark.parametrize("which", [0, -1])
def test_an_input_or_output_of_absurd_size_is_refused(liar, board, package, size, which):
    tensors = [list(row) for row in TENSOR.iter_unpack(section_of(package, Section.TENSORS))]
    tensors[which][3] = 4
    tensors[which][7:11] = [1, size, size, 3]
    liar.files["net.efm"] = forged(package, Section.TENSORS,
                                   b"".join(TENSOR.pack(*row) for row in tensors))
    with pytest.raises(BadContainer, match="puts of .* bytes, expected at most"):
        board.outline("net.efm")


def test_a_large_outline_is_refused_before_it_is_fetched(package):
    asked = []

    def fetch(start, count):
        asked.append(count)
        return big[start:start + count]

    big = chain(header("bytes", 2**32 - 1), header("head_bytes", 1 << 31))(package)
    with pytest.raises(BadContainer, match="without its weights, expected at most"):
        outline.read_outline(fetch, 2**32 - 1, "net")
    assert sum(asked) < 10_000


def test_weights_of_four_gigabytes_cost_nothing(package):
    big = chain(edit.entry(Section.WEIGHTS, 4, "I", 1024),
                edit.entry(Section.WEIGHTS, 8, "I", 2**32 - 1025),
                header("bytes", 2**32 - 1))(package)
    tracemalloc.start()
    try:
        outline.read_outline(lambda start, count: big[start:start + count], 2**32 - 1, "net")
        assert tracemalloc.get_traced_memory()[1] < 10 * MIB
    finally:
        tracemalloc.stop()


# -- answers that lead nowhere -----------------------------------------------------------------


def only(kind, change):
    return lambda of, payload: change(payload) if of == kind else payload


def never_further(payload):
    """ACK that has nothing, CHUNK that is always the first."""
    return payload[:5] + bytes(8) if len(payload) == ACK.size else CHUNK_HEAD.pack(0) + payload[4:]


@pytest.mark.parametrize(("kind", "change"), [
    (FrameType.ACK, never_further),
    (FrameType.CHUNK, never_further),
    (FrameType.CHUNK, lambda payload: payload[:3]),
    (FrameType.CHUNK, lambda payload: payload[:-1]),
    (FrameType.CHUNK, lambda payload: CHUNK_HEAD.pack(2**32 - 1) + payload[4:]),
    (FrameType.ACK, lambda payload: payload[:1] + struct.pack("<III", 0, 2**32 - 1, 2**32 - 1)),
    (FrameType.ACK, lambda payload: payload[:1] + struct.pack("<III", 2**32 - 1, 0, 0)),
    (FrameType.REPLY, lambda payload: b"\1")])
def test_answers_that_lead_nowhere_are_given_up(liar, kind, change):
    line = Line(liar)
    liar.files["a"] = bytes(100_000)
    with Device(line) as board:
        liar.spoil = only(kind, change)
        with pytest.raises(LinkError):
            board.put("a", bytes(100_000))
            board.get("a")
    assert line.seconds < 300


def test_an_acknowledgement_does_not_end_a_read(liar, board):
    def answer(kind, payload):
        return ACK.pack(0, 0, 2**16, 0) if kind == FrameType.CHUNK else payload

    liar.spoil = answer
    liar._say = lambda kind, number, payload, say=liar._say: say(
        FrameType.ACK if kind == FrameType.CHUNK else kind, number,
        ACK.pack(0, 0, 1, 0) if kind == FrameType.CHUNK else payload)
    with pytest.raises(LinkError):
        board.get("net.efm")


def test_what_changes_while_it_is_read_is_refused(board, liar):
    """A line that loses has the host open a read once more: it must be the same."""
    calls = 0

    def answer(kind, payload):
        nonlocal calls
        if kind == FrameType.REPLY and len(payload) == 1 + READ_REPLY.size:
            calls += 1
            if calls > 3:
                return payload[:-1] + bytes([payload[-1] ^ 1])
        return b"" if kind == FrameType.CHUNK and calls == 3 and len(payload) > 2000 else payload

    liar.files["a"] = random.Random(3).randbytes(50_000)
    liar.spoil = answer
    with pytest.raises(LinkError):
        for _ in range(3):
            board.get("a")


# -- random lies -------------------------------------------------------------------------------

VERBS = (["ls"], ["df"], ["info"], ["sha256", ":net.efm"], ["profile", ":net.efm"],
         ["run", ":net.efm", "{input}"], ["cp", ":net.efm", "{out}"], ["rm", ":net.efm"],
         ["cp", "{input}", ":b"])
NUMBERS = (0, 1, 127, 128, 255, 65535, 2**31 - 1, 2**31, 2**32 - 1)


def random_lies(seed):
    """Payloads with bytes, words and lengths changed, once in a while or always."""
    rng = random.Random(seed)
    share, kinds = rng.choice((0.02, 0.2, 1.0)), rng.sample(list(FrameType), 2)

    def lie(kind, payload):
        if kind not in kinds or rng.random() > share or not payload:
            return payload
        found, at = bytearray(payload), rng.randrange(len(payload))
        how = rng.randrange(4)
        if how == 0:
            found[at] = rng.randrange(256)
        elif how == 1:
            found[at:at + 4] = struct.pack("<I", rng.choice(NUMBERS))
        elif how == 2:
            del found[at:]
        else:
            found += rng.randbytes(rng.randrange(1, 60))
        return bytes(found)

    return lie


@pytest.mark.parametrize("seed", range(60))
def test_random_lies_end_in_one_line(seed, liar, info, package, tmp_path, monkeypatch, capsys):
    rng = random.Random(seed)
    np.savez(tmp_path / "x.npz", 0)
    for i, value in enumerate(noise(info)):
        np.save(tmp_path / f"{i}.npy", value)
    inputs = [str(tmp_path / f"{i}.npy") for i in range(len(info.inputs))]
    monkeypatch.setattr("host_tools.cli.store.open_board", lambda named: Device(
        Line(liar), timing=Timing(silence=2.0)))
    if rng.random() < 0.5:
        liar.spoil = random_lies(seed)
    else:
        at = rng.randrange(len(package) - 200)
        liar.files["net.efm"] = package[:at] + rng.randbytes(rng.randrange(1, 200)) + package[at:]
    for verb in VERBS:
        words = [part for word in verb for part in (inputs if word == "{input}" and verb[0] == "run"
                 else [word.format(input=inputs[0], out=tmp_path / "out")])]
        code = main(words)
        told = capsys.readouterr().err
        assert code in (0, 2) and "Traceback" not in told
        assert code == 0 or told.count("\nedgefm:") + told.startswith("edgefm:") == 1


@pytest.mark.parametrize("seed", range(40))
def test_random_packages_in_the_store_cost_little_memory(seed, liar, board, package):
    rng, changed = random.Random(seed), bytearray(package)
    for _ in range(rng.randrange(1, 6)):
        at = rng.randrange(len(changed) - 4)
        changed[at:at + 4] = struct.pack("<I", rng.choice(NUMBERS))
    liar.files["net.efm"] = bytes(changed)
    tracemalloc.start()
    try:
        found = board.outline("net.efm")
        found.stream(noise(found.info))
    except EdgefmError:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < MOST_MEMORY + 3 * outline.MOST_INPUT


def test_a_device_without_alignment_is_refused():
    with pytest.raises(BadMessage, match="alignment 0"):
        Device(Line(LyingDevice(info=replace_fields(INFO, alignment=0))))


def test_a_capability_record_without_end_is_refused(liar):
    liar.info = bytes(60_000)
    with pytest.raises(BadMessage, match="capability record of 60000 bytes, expected at most 4096"):
        Device(Line(liar))


def test_more_than_any_store_holds_is_not_sent(board, monkeypatch):
    monkeypatch.setattr("host_tools.link.store.MOST_READ", 10)
    with pytest.raises(BadInput, match="a: 11 bytes, expected at most 10"):
        board.put("a", bytes(11))


def test_a_wrong_checksum_is_noticed(board, liar):
    liar.reads["net.efm"] = Read(liar.files["net.efm"], crc=zlib.crc32(b"x"))
    with pytest.raises(LinkError, match="does not have its checksum"):
        board.get("net.efm")
