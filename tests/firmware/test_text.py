# SPDX-License-Identifier: Apache-2.0
"""MLPerf Tiny's text commands on the `sim` board: real packages, the results that the host gets."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import packages
import pytest
from networks import Network, scale

from edgefm.network.graph import Array, Quant
from edgefm.package.read import TensorInfo, read_info
from edgefm.runtime import Runtime
from host_tools.boards.build import build
from host_tools.link.device import Device
from host_tools.link.transport import ProcessTransport

HASTE = 5.0  # seconds without an answer


@pytest.fixture(scope="module")
def firmware(need: Callable[[str], str]) -> str:
    need("cc")
    return str(build("sim"))


class Runner:
    """What drives a board with the text commands, as MLPerf Tiny's does."""

    def __init__(self, transport: ProcessTransport) -> None:
        self.line = transport

    def ask(self, command: str) -> list[str]:
        self.line.write(command.encode() + b"%")
        answer = b""
        while not answer.endswith(b"m-ready\r\n"):
            piece = self.line.read(HASTE)
            assert piece, answer
            answer += piece
        return answer.decode().split("\r\n")[:-2]

    def infer(self, data: bytes, times: int = 1) -> list[str]:
        self.ask(f"db load {len(data)}")
        lines = [data[at:at + 31].hex() for at in range(0, len(data), 31)]
        assert [self.ask(f"db {line}") for line in lines][-1] == ["m-load-done"]
        return self.ask(f"infer {times} 1")


@pytest.fixture
def stored(firmware: str, tmp_path: Path) -> Callable[..., ProcessTransport]:
    """`stored({"a": package}, "--option")`: a board whose store holds these."""

    def start(packages: dict[str, bytes], *options: str) -> ProcessTransport:
        command = [firmware, "--flash", str(tmp_path / "flash")]
        with Device(ProcessTransport(command)) as device:  # one that takes every package
            for name, package in packages.items():
                device.put(name, package)
        return ProcessTransport([*command, *options])

    return start


def _results(lines: list[str]) -> list[float]:
    (found,) = [match[1] for line in lines if (match := re.fullmatch(r"m-results-\[(.+)\]", line))]
    return [float(text) for text in found.split(",")]


def _values(array: Array, tensor: TensorInfo) -> list[float]:
    scale = tensor.scale or 1.0
    return [float(v) for v in (array.astype(np.float64).ravel() - tensor.zero_point) * scale]


def _packages(root: Path) -> Iterator[tuple[str, bytes]]:
    for name in ("example", "uint8", "float", "rings", "context"):
        yield name, (root / "tests/golden/good" / f"{name}.efm").read_bytes()


def _random(tensor: TensorInfo) -> Array:
    random = np.random.default_rng(len(tensor.name))
    if tensor.dtype == "float32":
        return (random.random(tensor.shape) * 2 - 1).astype(np.float32)
    limits = np.iinfo(tensor.dtype)
    return random.integers(limits.min, limits.max, tensor.shape, tensor.dtype, True)


def _as_sent(array: Array, tensor: TensorInfo) -> bytes:
    """A runner sends pixels as 0 to 255, anything else as it is."""
    pixels = tensor.dtype == "int8" and tensor.zero_point == -128
    return (array.view(np.uint8) ^ 128 if pixels else array).tobytes()


def test_a_runner_gets_the_results_of_the_host(
        root: Path, stored: Callable[..., ProcessTransport]) -> None:
    for name, package in _packages(root):
        info = read_info(package)
        data = _random(info.inputs[0])
        with Runtime(package) as runtime:
            expected = runtime.run([data]).outputs[0]
        line = stored({"mlperf.efm": package})
        try:
            lines = Runner(line).infer(_as_sent(data, info.inputs[0]), times=2)
        finally:
            line.close()
        assert lines[-2] == "m-infer-done", (name, lines)
        assert _results(lines) == pytest.approx(_values(expected, info.outputs[0]), abs=6e-4)


def test_pixels_are_taken_as_the_reference_takes_them(
        stored: Callable[..., ProcessTransport]) -> None:
    """0 to 255 for an int8 input whose zero point is -128; once, however often it is inferred."""
    net = Network()
    net.inputs.append(net.tensor((1, 8, 8, 3), Quant(scale(1.0), (-128,))))
    graph = net.graph(net.pool(net.inputs[0], "max_pool", 1, 1))
    line = stored({"a.efm": packages.build(graph).package})
    try:
        runner, data = Runner(line), bytes(range(0, 192))
        assert runner.ask("profile")[1] == "m-model-[a]"
        for times in (1, 3):
            assert _results(runner.infer(data, times)) == [float(v) for v in data]
    finally:
        line.close()


def test_a_runner_chooses_among_packages(root: Path,
                                         stored: Callable[..., ProcessTransport]) -> None:
    (_, package), *_ = _packages(root)
    line = stored({"a": package, "b.efm": package, "c.d": package})
    try:
        runner = Runner(line)
        assert runner.ask("model") == ["m-model-[a]"]
        for told in ("b", "b.efm", "c.d", "a"):
            assert runner.ask(f"model {told}") == [f"m-model-[{told.removesuffix('.efm')}]"]
        for unknown in ("c", "x" * 33, "B"):
            assert runner.ask(f"model {unknown}")[0].startswith("e-[")
        assert runner.ask("profile")[1] == "m-model-[a]"
    finally:
        line.close()


def _reproducing(scaled: float, zero_point: int) -> bytes:
    """A package that gives out what comes in."""
    net = Network()
    net.inputs.append(net.tensor((1, 1, 1, 640), Quant(scale(scaled), (zero_point,))))
    graph = net.graph(net.pool(net.inputs[0], "max_pool", 1, 1))
    return packages.build(graph).package


def test_anomaly_detection_answers_with_one_error(
        stored: Callable[..., ProcessTransport]) -> None:
    """float32 in; how far away the network's int8 output is. Under any other name: all outputs."""
    values = np.random.default_rng(7).normal(0, 40, 640).astype("<f4")
    kept = np.clip(np.rint(values / np.float32(0.5)) + 9, -128, 127)
    outputs = (kept - 9) * 0.5
    package = _reproducing(0.5, 9)
    line = stored({"ad01.efm": package, "other.efm": package})
    try:
        runner = Runner(line)
        for _ in "12":  # the second time on the input as the first has left it
            runner.ask("model ad01")
            expected = [float(np.mean((outputs - values.astype(float)) ** 2))]
            assert _results(runner.infer(values.tobytes(), 2)) == pytest.approx(expected, abs=1e-3)
        runner.ask("model other")
        assert _results(runner.infer(values.tobytes())) == pytest.approx(list(outputs), abs=6e-4)
        runner.ask("model ad01")  # given as codes there is nothing to compare with
        codes = kept.astype(np.int8).tobytes()
        assert _results(runner.infer(codes)) == pytest.approx(list(outputs), abs=6e-4)
    finally:
        line.close()


def test_float_input_that_leaves_no_room_for_its_codes_is_refused(
        stored: Callable[..., ProcessTransport]) -> None:
    line = stored({"ad01.efm": _reproducing(0.5, 0)}, "--results-bytes", str(2 * 2560 + 600))
    try:
        assert Runner(line).infer(bytes(2560))[-1].startswith("e-[infer: status")
    finally:
        line.close()


def test_text_and_frames_share_a_line(root: Path, firmware: str) -> None:
    (_, package), *_ = _packages(root)
    line = ProcessTransport([firmware])
    runner = Runner(line)
    assert runner.ask("name") == ["m-name-dut-[sim]"]
    with Device(line) as device:
        assert runner.ask("name") == ["m-name-dut-[sim]"]
        assert runner.ask("infer")[0].startswith("e-[")
        device.put("a.efm", package)
        assert runner.ask("profile") == ["m-profile-[edgefm]", "m-model-[a]"]
        answer = runner.infer(bytes(1536))  # decodes: no events of a run between the lines
        assert answer[-2] == "m-infer-done"
        assert device.get("a.efm") == package


def test_what_the_board_cannot_do_is_told(
        root: Path, stored: Callable[..., ProcessTransport]) -> None:
    (_, package), *_ = _packages(root)
    size = 1536
    for files, options in (({}, ()), ({"a": b"no package"}, ()),
                              ({"a": package}, ("--fast-bytes", "256")),
                              ({"a": package}, ("--results-bytes", str(size + 100)))):
        line = stored(files, *options)
        try:
            assert Runner(line).ask("name") == ["m-name-dut-[sim]"]
            refused = [text for text in Runner(line).ask(f"db load {size}") if text[0] == "e"]
            lines = refused or Runner(line).infer(bytes(size))
            assert lines[-1].startswith("e-["), (files, options)
        finally:
            line.close()


def test_laps_count_computing_only(root: Path, stored: Callable[..., ProcessTransport]) -> None:
    """On a timer that goes on with each look at it and with bytes that are sent."""
    (_, package), *_ = _packages(root)
    line = stored({"a.efm": package}, "--clock", "line")
    try:
        took = {}
        for times in (1, 2, 4):
            first, second = (int(text.removeprefix("m-lap-us-"))
                             for text in Runner(line).infer(bytes(1536), times) if "lap" in text)
            took[times] = second - first
        assert took[4] - took[2] == 2 * (took[2] - took[1])
    finally:
        line.close()


class Mpremote:
    """What mpremote sends and waits for, written from what MicroPython's raw REPL promises."""

    def __init__(self, line: ProcessTransport) -> None:
        self.line, self.heard = line, b""

    def until(self, ending: bytes) -> bytes:
        """What comes up to `ending`, and with it."""
        while ending not in self.heard:
            piece = self.line.read(HASTE)
            assert piece, self.heard
            self.heard += piece
        before, _, self.heard = self.heard.partition(ending)
        return before + ending

    def run(self, greeting: bytes, restart: bool) -> tuple[bytes, bytes]:
        """What a program prints and what it complains of."""
        self.line.write(greeting)
        self.line.write(b"\r\x01")
        if restart:
            self.until(b"raw REPL; CTRL-B to exit\r\n>")
            self.line.write(b"\x04")
            self.until(b"soft reboot\r\n")
        self.until(b"raw REPL; CTRL-B to exit\r\n")
        self.until(b">")
        self.line.write(b"\x05A\x01")
        assert self.until(b"\0") == b"R\0"
        self.line.write(b"import os\nprint('%s' % os.uname())\x04")
        assert self.until(b"K") == b"OK"
        return self.until(b"\x04")[:-1], self.until(b"\x04")[:-1]


SAID = b"edgefm firmware, not MicroPython: use `edgefm ls`\r\n"


@pytest.mark.parametrize("greeting", [b"\r\x03", b"\r\x03\x03"])
@pytest.mark.parametrize("restart", [True, False])
def test_mpremote_is_told_what_the_board_is(firmware: str, greeting: bytes, restart: bool) -> None:
    line = ProcessTransport([firmware])
    with Device(line) as device:  # a session that another client has left open is not in the way
        assert Mpremote(line).run(greeting, restart) == (b"", SAID)
        assert device.files() == []


def test_the_handshake_of_a_raw_repl_is_answered_with_one_line_first(firmware: str) -> None:
    for handshake in (b"\x03\x03\x01", b"\r\x03\x03\r\x01", b"AT\r\r\x03\r\x01", b"%\r\x03\r\x01"):
        line = ProcessTransport([firmware])
        try:
            line.write(handshake)
            assert Mpremote(line).until(b"edgefm ls`\r\n").endswith(SAID)
            line.write(b"\0")
            line.read(0.2)
            assert Runner(line).ask("name") == ["m-name-dut-[sim]"]
        finally:
            line.close()


def test_a_handshake_within_a_file_changes_nothing(firmware: str) -> None:
    data = b"\r\x03\r\x01" * 5000 + b"\x03\x03\x01name%" * 300
    with Device(ProcessTransport([firmware])) as device:
        device.put("x", data)
        assert device.get("x") == data
