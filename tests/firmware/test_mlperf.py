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
MODELS = (b"kws01", b"vww01")
CDEF = """
typedef struct {
    void *context, *line, *clock; const char *board;
    uint8_t *input; uint32_t input_bytes, ticks_per_second;
    uint64_t (*ticks)(void *context);
    void (*write)(void *context, const uint8_t *bytes, uint32_t count);
    bool (*model)(void *context, const uint8_t **name, uint32_t *name_bytes);
    bool (*choose)(void *context, const uint8_t *name, uint32_t name_bytes);
    int (*infer)(void *context, uint8_t *input, uint32_t bytes, bool fresh);
    bool (*result)(void *context, uint32_t index, int64_t *thousandths);
} efm_mlperf_host;
typedef struct { bool framed; ...; } efm_mlperf;
typedef struct { uint32_t type, scale_bits; int32_t zero_point; ...; } efm_tensor;
void efm_mlperf_init(efm_mlperf *text, const efm_mlperf_host *host);
void efm_mlperf_greet(const efm_mlperf *text);
void feed_all(efm_mlperf *text, const uint8_t *bytes, uint32_t count);
int64_t efm_thousandths(int64_t code, uint32_t scale);
void efm_values_quantize(const efm_tensor *tensor, const uint8_t *floats, uint8_t *codes,
                         uint32_t count);
uint32_t efm_values_error(const efm_tensor *tensor, const uint8_t *at, const uint8_t *floats,
                          uint32_t count);
"""
SOURCE = """
#include "mlperf.h"
#include "values.h"
static void feed_all(efm_mlperf *text, const uint8_t *bytes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        efm_mlperf_feed(text, bytes[i]);
}
"""


@pytest.fixture(scope="module")
def native(native_lib: Any) -> Any:
    return native_lib(CDEF, SOURCE, [COMMON / f"{name}.c" for name in (
        "mlperf", "answer", "words", "values", "decimal")])


class Device:
    """bytes in -> bytes out; its model says how often each byte value is in the input."""

    def __init__(self, native: Any, second: int | None = 1_000_000) -> None:
        self.native, self.out, self.status = native, bytearray(), 0
        self.inputs: list[bytes] = []
        self.fresh: list[bool] = []
        self.time, ffi = 0, native.ffi
        self._lent = [ffi.new("uint8_t[]", ROOM), ffi.new("char[]", b"board"),
                      {name: ffi.new("uint8_t[]", name) for name in MODELS}]
        self.chosen = MODELS[0]
        calls = {"ticks": "uint64_t(void *)", "write": "void(void *, const uint8_t *, uint32_t)",
                 "model": "bool(void *, const uint8_t **, uint32_t *)",
                 "choose": "bool(void *, const uint8_t *, uint32_t)",
                 "infer": "int(void *, uint8_t *, uint32_t, bool)",
                 "result": "bool(void *, uint32_t, int64_t *)"}
        self._calls = {name: ffi.callback(kind, getattr(self, f"_{name}"))
                       for name, kind in calls.items()}
        host = ffi.new("efm_mlperf_host *", {
            **self._calls, "board": self._lent[1], "input": self._lent[0], "input_bytes": ROOM,
            "ticks_per_second": second or 0, **({} if second is not None else {"ticks": ffi.NULL})})
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
        name[0], count[0] = self._lent[2][self.chosen], len(self.chosen)
        return True

    def _choose(self, _: Any, name: Any, count: int) -> bool:
        wanted = bytes(self.native.ffi.buffer(name, count))
        self.chosen = wanted if wanted in MODELS else self.chosen
        return wanted in MODELS

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
    assert sorted(set(told)) == ["db", "help", "infer", "model", "name", "profile",
                                 "results", "timestamp"]
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
    assert client.value("profile", r"m-model-\[(.+)\]") == "kws01"
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
    assert client.ask("infer 1 0")[0] == "m-warmup-start-0"
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
    assert client.ask("db 0a0g")[0].startswith("e-[")
    assert client.ask("db 0A0b") == ["m-load-done"]
    client.ask("infer 1 0")
    assert device.inputs == [b"\n\x0b"]


def test_surplus_digits_of_the_last_line_are_disregarded(native: Any) -> None:
    device = Device(native)
    client = Client(device)
    client.ask("db load 3")
    assert client.ask("db 01") == []
    assert client.ask("db 02030405zz") == ["m-load-done"]
    client.ask("infer 1 0")
    assert device.inputs == [b"\1\2\3"]
    assert client.ask("db print 99 1") == ["m-buffer-02-03"]


def test_warm_ups_are_ten_where_nothing_else_is_said(native: Any) -> None:
    device = Device(native)
    client = Client(device)
    client.load(b"abc")
    assert client.ask("infer 3")[0] == "m-warmup-start-10"
    assert len(device.inputs) == 13


@pytest.mark.parametrize(("arguments", "start", "stop"), [
    ("", 0, 16), (" 3", 0, 3), (" 20 4", 4, 24), (" 99 28", 28, 30), (" 5 30", 30, 30)])
def test_the_input_is_printed(native: Any, arguments: str, start: int, stop: int) -> None:
    client, data = Client(Device(native)), random.Random(4).randbytes(30)
    client.load(data)
    lines = client.ask(f"db print{arguments}")
    assert all(line.startswith("m-buffer-") and len(line) <= len("m-buffer") + 24 for line in lines)
    found = bytes.fromhex("".join(line.removeprefix("m-buffer").replace("-", "") for line in lines))
    assert found == data[start:stop]


@pytest.mark.parametrize("arguments", ["x", "3 x", "1 4", "99999999999"])
def test_bytes_that_are_not_there_are_not_printed(native: Any, arguments: str) -> None:
    client = Client(Device(native))
    client.load(b"abc")
    (line,) = client.ask(f"db print {arguments}")
    assert line.startswith("e-[")


def test_another_model_is_chosen_and_input_and_results_go_with_the_last(native: Any) -> None:
    client = Client(Device(native))
    client.load(b"abc")
    client.ask("infer 1 0")
    assert client.ask("model") == ["m-model-[kws01]"]
    assert client.ask("model nonsense")[0].startswith("e-[")
    assert client.ask("results")[0].startswith("m-results")
    assert client.ask("model vww01") == ["m-model-[vww01]"] == client.ask("profile")[1:]
    assert client.ask("results")[0].startswith("e-[") and client.ask("infer")[0].startswith("e-[")


def test_help_names_every_command(native: Any, root: Path) -> None:
    told = "\n".join(Client(Device(native)).ask("help"))
    section = (root / "docs/PROTOCOL.md").read_text("utf-8").partition("\n## Text\n")[2]
    for command in re.findall(r"^\| `([a-z]+(?: load| print)?)", section.partition("\n## ")[0],
                              re.MULTILINE):
        assert command in told


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
    unit = "m-[laps are instructions]"
    assert client.ask("timestamp") == [unit, "m-lap-us-250"]
    assert client.ask("timestamp") == [unit, "m-lap-us-500"]


def test_a_timer_that_stands_still_gives_no_laps(native: Any) -> None:
    client = Client(Device(native, second=None))
    assert client.ask("timestamp") == ["e-[timestamp: the timer stands still]"]


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
        found = native.lib.efm_thousandths(code, scale)
        if abs(exact) < 2**50:
            assert abs(found - exact) <= Fraction(501, 1000) + abs(exact) / 2**50, (code, scale)
        else:
            assert abs(found) >= 2**49 and (found < 0) == (code < 0)


def _tensor(native: Any, scale: float, zero_point: int) -> Any:
    bits = struct.unpack("<I", np.float32(scale).tobytes())[0]
    return native.ffi.new("efm_tensor *", {"type": 0, "scale_bits": bits, "zero_point": zero_point})


@pytest.mark.parametrize(("scale", "zero_point"), [(0.25, 0), (0.3910, 89), (1e-3, -128)])
def test_real_numbers_become_codes_as_in_the_reference(native: Any, scale: float,
                                                       zero_point: int) -> None:
    """round(value / scale), halves away from zero, + zero point, clamped."""
    rng = np.random.default_rng(5)
    halves = (np.arange(-300, 300) + 0.5) * np.float32(scale)
    values = np.concatenate([rng.normal(0, 60 * scale, 2000), halves, [0, 1e30, -1e30, np.inf,
                                                                      -np.inf]]).astype("<f4")
    quotient = values / np.float32(scale)
    whole = np.trunc(quotient)
    with np.errstate(invalid="ignore"):
        rounded = whole + np.where(np.abs(quotient - whole) >= 0.5, np.sign(quotient), 0)
    rounded = np.where(np.isinf(quotient), quotient, rounded)
    expected = np.clip(rounded + zero_point, -128, 127).astype(np.int8)
    codes = native.ffi.new("uint8_t[]", values.size)
    native.lib.efm_values_quantize(_tensor(native, scale, zero_point), values.tobytes(), codes,
                                   values.size)
    assert np.array_equal(np.frombuffer(native.ffi.buffer(codes), np.int8), expected)
    native.lib.efm_values_quantize(_tensor(native, scale, zero_point),
                                   np.float32(np.nan).tobytes(), codes, 1)
    assert codes[0] == 128  # what is not a number becomes one


def test_the_error_of_a_reconstruction_is_the_mean_square(native: Any) -> None:
    rng = np.random.default_rng(6)
    codes, truth = rng.integers(-128, 128, 640, np.int8), rng.normal(-20, 30, 640).astype("<f4")
    bits = native.lib.efm_values_error(_tensor(native, 0.39, 89), codes.tobytes(), truth.tobytes(),
                                       640)
    found = float(np.uint32(bits).view(np.float32))
    expected = np.mean(((codes.astype(float) - 89) * np.float32(0.39) - truth) ** 2)
    assert found == pytest.approx(expected, rel=1e-5)
