# SPDX-License-Identifier: Apache-2.0
"""MLPerf Tiny's text commands: a client written from their grammar drives the device."""

import random
import re
import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

COMMON = Path(__file__).resolve().parents[2] / "firmware" / "common"
ROOM = 3000
CDEF = """
typedef struct {
    void *context, *line, *clock; const char *board;
    uint8_t *input; uint32_t input_bytes, ticks_per_second;
    uint64_t (*ticks)(void *context);
    void (*write)(void *context, const uint8_t *bytes, uint32_t count);
    bool (*model)(void *context, const uint8_t **name, uint32_t *name_bytes);
    int (*infer)(void *context, uint8_t *input, uint32_t bytes, bool fresh);
    bool (*result)(void *context, uint32_t index, int64_t *thousandths);
} efm_mlperf_host;
typedef struct { bool framed; ...; } efm_mlperf;
void efm_mlperf_init(efm_mlperf *text, const efm_mlperf_host *host);
void efm_mlperf_greet(const efm_mlperf *text);
void feed_all(efm_mlperf *text, const uint8_t *bytes, uint32_t count);
int64_t efm_mlperf_thousandths(int64_t code, uint32_t scale);
"""
SOURCE = """
#include "mlperf.h"
static void feed_all(efm_mlperf *text, const uint8_t *bytes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        efm_mlperf_feed(text, bytes[i]);
}
"""


@pytest.fixture(scope="module")
def native(native_lib: Any) -> Any:
    return native_lib(CDEF, SOURCE, [COMMON / "mlperf.c", COMMON / "decimal.c"])


class Device:
    """bytes in -> bytes out; its model says how often each byte value is in the input."""

    def __init__(self, native: Any, second: int = 1_000_000) -> None:
        self.native, self.out, self.status = native, bytearray(), 0
        self.inputs: list[bytes] = []
        self.fresh: list[bool] = []
        self.time, ffi = 0, native.ffi
        self._lent = [ffi.new("uint8_t[]", ROOM), ffi.new("char[]", b"board"),
                      ffi.new("uint8_t[]", b"kws.efm")]
        calls = {"ticks": "uint64_t(void *)", "write": "void(void *, const uint8_t *, uint32_t)",
                 "model": "bool(void *, const uint8_t **, uint32_t *)",
                 "infer": "int(void *, uint8_t *, uint32_t, bool)",
                 "result": "bool(void *, uint32_t, int64_t *)"}
        self._calls = {name: ffi.callback(kind, getattr(self, f"_{name}"))
                       for name, kind in calls.items()}
        host = ffi.new("efm_mlperf_host *", {
            **self._calls, "board": self._lent[1], "input": self._lent[0], "input_bytes": ROOM,
            "ticks_per_second": second})
        self.text = ffi.new("efm_mlperf *")
        native.lib.efm_mlperf_init(self.text, host)

    def __call__(self, data: bytes) -> bytes:
        self.native.lib.feed_all(self.text, data, len(data))
        out = bytes(self.out)
        self.out.clear()
        return out

    def _ticks(self, _: Any) -> int:
        self.time += 250
        return self.time

    def _write(self, _: Any, data: Any, count: int) -> None:
        self.out += self.native.ffi.buffer(data, count)

    def _model(self, _: Any, name: Any, count: Any) -> bool:
        name[0], count[0] = self._lent[2], 7
        return True

    def _infer(self, _: Any, data: Any, count: int, fresh: bool) -> int:
        self.fresh.append(fresh)
        self.inputs.append(bytes(self.native.ffi.buffer(data, count)))
        self.time += 1000
        return self.status

    def _result(self, _: Any, index: int, value: Any) -> bool:
        if index < 4:
            value[0] = 1000 * self.inputs[-1].count(index) - 1500 + index
        return index < 4


class Client:
    """The runner's end, from the grammar: `%` ends a command, `m-ready` the answer."""

    def __init__(self, device: Any) -> None:
        self.device = device

    def ask(self, command: str) -> list[str]:
        lines: list[str] = self.device(command.encode() + b"%").decode().split("\r\n")
        assert lines[-2:] == ["m-ready", ""]
        return lines[:-2]

    def value(self, command: str, pattern: str) -> str:
        (found,) = [match[1] for line in self.ask(command)
                    if (match := re.fullmatch(pattern, line))]
        return found

    def load(self, data: bytes, piece: int = 31) -> None:
        assert self.ask(f"db load {len(data)}") == [f"m-[Expecting {len(data)} bytes]"]
        for at in range(0, len(data), piece):
            answer = self.ask(f"db {data[at:at + piece].hex()}")
            assert answer == (["m-load-done"] if at + piece >= len(data) else [])


def test_the_commands_of_the_document_are_known(native: Any, root: Path) -> None:
    section = (root / "docs/PROTOCOL.md").read_text("utf-8").partition("\n## Text\n")[2]
    told = re.findall(r"^\| `([a-z]+)(?: load)?", section.partition("\n## ")[0], re.MULTILINE)
    assert sorted(set(told)) == ["db", "infer", "name", "profile", "results", "timestamp"]
    client = Client(Device(native))
    assert not [line for word in told for line in client.ask(word) if "Unknown" in line]


def test_the_greeting_ends_like_any_answer(native: Any) -> None:
    device = Device(native)
    native.lib.efm_mlperf_greet(device.text)
    assert Client(device).ask("") == ["m-timestamp-mode-performance", "m-init-done", "m-ready"]


def test_a_client_loads_infers_and_reads_times_and_results(native: Any) -> None:
    device = Device(native)
    client, data = Client(device), random.Random(1).randbytes(1000)
    assert client.value("name", r"m-name-dut-\[(.+)\]") == "board"
    assert client.value("profile", r"m-model-\[(.+)\]") == "kws.efm"
    assert client.value("profile", r"m-profile-\[(.+)\]") == "edgefm"
    first, second = (int(client.value("timestamp", r"m-lap-us-(\d+)")) for _ in "12")
    assert second - first == 250
    client.load(data)
    lines = client.ask("infer 3 2")
    laps = [int(line.removeprefix("m-lap-us-")) for line in lines if line.startswith("m-lap")]
    assert laps[1] - laps[0] == 3 * 1000 + 250
    assert [line for line in lines if "lap" not in line] == [
        "m-warmup-start-2", "m-warmup-done", "m-infer-start-3", "m-infer-done",
        *client.ask("results")]
    assert device.inputs == [data] * 5 and device.fresh == [True] + [False] * 4
    found = [Fraction(text) for text in client.value("results", r"m-results-\[(.+)\]").split(",")]
    assert found == [data.count(i) - Fraction(3, 2) + Fraction(i, 1000) for i in range(4)]


@pytest.mark.parametrize("piece", [1, 26, 31, 38])
def test_input_comes_in_lines_of_any_length(native: Any, piece: int) -> None:
    device, data = Device(native), random.Random(piece).randbytes(99)
    client = Client(device)
    client.load(data, piece)
    assert client.ask("infer")[0] == "m-warmup-start-0"
    assert device.inputs == [data]


def test_a_line_end_or_blanks_change_nothing(native: Any) -> None:
    client = Client(Device(native))
    assert client.ask("\r\n  name  ") == client.ask("name") == ["m-name-dut-[board]"]
    assert client.ask("") == []


@pytest.mark.parametrize("command", [
    "hello", "db", "db load", "db load x", "db load 0", f"db load {ROOM + 1}",
    "db load 99999999999", "db 00", "db zz", "db 0", "infer", "infer 0", "infer x", "infer 1 x",
    "results", "name" + "x" * 80])
def test_what_makes_no_sense_is_told_and_the_device_goes_on(native: Any, command: str) -> None:
    client = Client(Device(native))
    (line,) = client.ask(command)
    assert re.fullmatch(r"e-\[.+\]", line)
    assert client.ask("name") == ["m-name-dut-[board]"]


def test_more_input_than_announced_is_refused(native: Any) -> None:
    device = Device(native)
    client = Client(device)
    client.load(b"abc")
    assert client.ask("db 00")[0].startswith("e-[")
    assert client.ask("db load 2") == ["m-[Expecting 2 bytes]"]
    assert client.ask("infer")[0] == "e-[infer: input bytes missing: 2]"
    assert client.ask("db 000102")[0].startswith("e-[")
    assert client.ask("db 0a0g")[0].startswith("e-[")
    assert client.ask("db 0A0b") == ["m-load-done"]
    client.ask("infer")
    assert device.inputs == [b"\n\x0b"]


def test_a_failing_inference_is_told_and_leaves_no_results(native: Any) -> None:
    device = Device(native)
    client = Client(device)
    client.load(b"abc")
    client.ask("infer 1 0")
    device.status = -13
    assert client.ask("infer 5 0")[-1] == "e-[infer: status -13]"
    assert len(device.inputs) == 2
    assert client.ask("results")[0].startswith("e-[")


def test_ticks_that_are_no_time_are_not_sold_as_time(native: Any) -> None:
    client = Client(Device(native, second=0))
    assert client.ask("timestamp") == ["e-[timestamp: this board has no clock]"]


def test_ticks_become_microseconds_without_overflow(native: Any) -> None:
    device = Device(native, second=168_000_000)
    device.time = 2**62
    lap = int(Client(device).value("timestamp", r"m-lap-us-(\d+)"))
    assert lap == (2**62 + 250) * 1_000_000 // 168_000_000


def test_what_is_no_text_is_dropped_as_the_link_drops_text(native: Any) -> None:
    client = Client(Device(native))
    for framed in (False, True):
        client.device.text.framed = framed
        assert client.device(b"\0\x04\x01name%\x07\0noise\0") == b""
        assert client.ask("name") == ["m-name-dut-[board]"]


def test_text_within_a_frame_is_no_command(native: Any) -> None:
    client = Client(Device(native))
    client.device.text.framed = True
    assert client.device(b"\0\x09\x04x%name%infer%\0") == b""
    client.device.text.framed = False
    assert b"dut" in client.device(b"\x09\x04x%name%")


def test_any_bytes_are_survived(native: Any) -> None:
    rng, client = random.Random(1), Client(Device(native))
    words = [b"db load 9%", b"db ", b"infer ", b"results%", b"0 ", b"%", b"\0", b"\xff"]
    for _ in range(3000):
        client.device(b"".join(rng.choice([*words, rng.randbytes(3)]) for _ in range(9)))
    client.device(b"%")
    assert client.ask("name") == ["m-name-dut-[board]"]


def _scales() -> Iterator[tuple[int, int]]:
    rng = random.Random(3)
    for _ in range(5000):
        scale = rng.choice([1 / 256, 1 / 128, 0.1, rng.random(), 2.0 ** rng.randrange(-120, 20)])
        yield (rng.choice([rng.randrange(-300, 300), rng.randrange(-2**31, 2**31)]),
               struct.unpack("<I", np.float32(scale).tobytes())[0])


def test_results_are_the_nearest_thousandths(native: Any) -> None:
    for code, scale in _scales():
        exact = code * Fraction(float(np.uint32(scale).view(np.float32))) * 1000
        found = native.lib.efm_mlperf_thousandths(code, scale)
        if abs(exact) < 2**50:
            assert abs(found - exact) <= Fraction(501, 1000) + abs(exact) / 2**50, (code, scale)
        else:
            assert abs(found) >= 2**49 and (found < 0) == (code < 0)
