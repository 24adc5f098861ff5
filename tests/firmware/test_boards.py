# SPDX-License-Identifier: Apache-2.0
"""Emulated boards, run for real: the host's bytes, the plan's counters, ticks that repeat."""

import statistics
import subprocess
import time
from itertools import chain

import pytest
from golden_run import check
from long_tests import some

from edgefm.errors import DeviceError
from edgefm.package.read import read_needs
from edgefm.planner import load_target
from host_tools.boards import build, running
from host_tools.boards.flash import flash
from host_tools.boards.image import flash_image
from host_tools.boards.launch import emulator_of
from host_tools.boards.switches import only
from host_tools.link.device import Device
from host_tools.link.transport import open_transport

SMOKE = ("example", "operators", "lossless")


@pytest.mark.parametrize("board", some(["qemu-an547", "qemu-pyboard", "raspberry-pi", "qemu-rv32",
                                        "qemu-microbit", "qemu-an505", "qemu-m0plus", "qemu-an500",
                                        "qemu-olimex", "raspberry-pi-32"], fast=5))
def test_a_board_gives_the_hosts_bytes_and_the_plans_counters(start, root, board):
    with Device(open_transport(start(board).url)) as device:
        info = device.info
        assert info.board == board and info.timer_works
        assert not info.target or load_target(info.target).kernels == info.kernels
        for name in SMOKE:
            if info.external_bytes or name == "example":
                check(device, root / f"tests/golden/good/{name}.efm")


def can_run(info, needs):
    """The board's build has every codec, every operator and every feature."""
    return not needs.features & ~info.features and all(have >> one & 1 for have, ones in (
        (info.decoders, needs.codecs), (info.operators, needs.operators)) for one in ones)


def test_the_default_board_runs_every_golden_package(start, root):
    with Device(open_transport(start("qemu-an386").url)) as device:
        ran = [path.stem for path in sorted((root / "tests/golden/good").glob("*.efm"))
               if can_run(device.info, read_needs(path.read_bytes())) and check(device, path)]
    assert {"example", "context", "mix", "pooled", "pairs", "capped", "operators"} <= {*ran}
    assert not {"temporal", "dctcm", "gf2"} & {*ran}  # left out: they pay on no board
    assert not {"rice", "tans", "ebpc", "pairwise", "vectors"} & {*ran}  # left out for 64 KiB


def test_the_simulator_is_sent_rows_as_often_as_it_asks_for_them(sim, root):
    with sim() as device:
        check(device, root / "tests/golden/good/columns.efm")


PORTED = ("ported", "ported_kept", "ported_tiles")


@pytest.mark.parametrize("name", PORTED)
def test_the_simulator_runs_weights_behind_the_port(sim, root, name):
    with sim() as device:
        assert check(device, root / f"tests/golden/good/{name}.efm").counted.weight_read_bytes > 0


def test_a_cortex_m4_runs_weights_behind_the_port_and_column_tiles(need, boards_folder, root):
    """Its runtime sees the front of a package; the firmware's port copies weights from the store,
    and what crosses is what the host counts. Rows are sent as often as it asks for them."""
    made = build.recipe("qemu-an386")
    need(made.compiler)
    need(emulator_of(made.flash["qemu"]))
    needed = [only(root / f"tests/golden/good/{name}.efm") for name in (*PORTED, "columns")]
    switches = {name: max(one.get(name, 0) for one in needed) for name in {*chain(*needed)}}
    board = flash(made.name, made.flash, build.build(made.name, switches, small=True), tool="qemu",
                  say=lambda line: None)
    with Device(open_transport(board.url)) as device:
        for name in PORTED:
            done = check(device, root / f"tests/golden/good/{name}.efm")
            assert done.counted.weight_read_bytes > 0
        check(device, root / "tests/golden/good/columns.efm")
    running.stop(board)


@pytest.mark.long
def test_firmware_linked_as_one_gives_the_hosts_bytes(need, root, tmp_path, monkeypatch):
    """-flto is what docs/PORTING.md has the smallest sizes with."""
    monkeypatch.setenv("EDGEFM_BOARDS", str(tmp_path))
    made = build.recipe("qemu-an386")
    need(made.compiler)
    need(emulator_of(made.flash["qemu"]))
    board = flash(made.name, made.flash, build.build(made.name, flags=("-flto",)), tool="qemu",
                  say=lambda line: None)
    try:
        with Device(open_transport(board.url)) as device:
            for name in SMOKE:
                check(device, root / f"tests/golden/good/{name}.efm")
    finally:
        running.stop(board)


def answer_seconds(line):
    """How long a text command's answer takes; it ends with `m-ready`."""
    begin, got = time.monotonic(), b""
    line.write(b"name%")
    while b"m-ready" not in got:
        piece = line.read(5.0)
        assert piece, f"only {got!r} came"
        got += piece
    return time.monotonic() - begin


@pytest.mark.parametrize("board", ["sim", "qemu-an386", "qemu-an547", "qemu-pyboard",
                                   "qemu-rv32", "raspberry-pi"])
def test_a_text_answer_does_not_wait_for_acknowledgements(start, board):
    url = start(board).url
    with Device(open_transport(url)) as device:
        device.space()  # it has booted
    line = open_transport(url)
    took = [answer_seconds(line) for _ in range(60)]
    line.close()
    assert statistics.median(took) < 0.02  # 0.044 where TCP waits


@pytest.mark.parametrize("board", ["qemu-an386", "qemu-an505", "qemu-an547", "qemu-pyboard",
                                   "qemu-rv32", "qemu-microbit"])
def test_instructions_are_counted_alike_every_time(start, root, board):
    with Device(open_transport(start(board).url)) as device:
        assert device.info.unit == "instructions" and device.info.ticks_per_second == 0
        path = root / "tests/golden/good/example.efm"
        first, second = check(device, path), check(device, path)
    assert first.ticks == second.ticks > 1000


def test_a_timer_without_icount_is_reported_not_used(start, need, root, tmp_path):
    need("qemu-system-arm")
    made = build.recipe("qemu-an386")
    options = {**made.flash["qemu"], "icount": 6}  # not what the board's clock counts on
    wrong = flash("qemu-an386", {"qemu": options}, build.build("qemu-an386"),
                  say=lambda line: None)
    with Device(open_transport(wrong.url)) as device:
        assert not device.info.timer_works
        package = (root / "tests/golden/good/example.efm").read_bytes()
        device.put("e.efm", package)
        with pytest.raises(DeviceError, match="timer"):
            device.profile("e.efm", bytes(6 * 256))
    running.stop(wrong)


def test_a_store_in_psram_outlives_a_reset_and_external_memory_is_another(start, root):
    package = (root / "tests/golden/good/outside.efm").read_bytes()
    board = start("qemu-an386")
    with Device(open_transport(board.url)) as device:
        device.put("kept.efm", package)
        device.reset()
    with open(board.memory.path, "r+b") as memory:  # all that the external port can reach
        memory.seek(board.memory.offset)
        memory.write(b"\xa5" * board.memory.bytes)
    with Device(open_transport(board.url)) as device:
        assert device.get("kept.efm") == package
        device.remove("kept.efm")
    assert board.memory.bytes == 8 << 20 and board.memory.path.stat().st_size == 16 << 20


MICROCONTROLLERS = {"pyboard": 0x08000000, "olimex-h405": 0x08000000, "microbit": 0,
                    "nrf52840-dk": 0, "pico": 0x10000000, "pico2": 0x10000000,
                    "esp32-c3": 0x42000000, "stm32h743-eval": 0x08000000}


@pytest.mark.long
@pytest.mark.parametrize("board", MICROCONTROLLERS)
def test_firmware_for_each_microcontroller_is_an_image_for_its_flash(need, board):
    """Below 128 KiB, behind which the store begins; the linker's limits are smaller where it has
    to be."""
    need(build.recipe(board).compiler)
    address, image = flash_image(build.build(board).read_bytes())
    assert address == MICROCONTROLLERS[board] and 30_000 < len(image) <= 128 << 10


def flash_bytes(program):
    """Code, constants and initial values."""
    printed = subprocess.run(["arm-none-eabi-size", program], check=True, text=True,
                             capture_output=True).stdout.splitlines()[1].split()
    return int(printed[0]) + int(printed[1])


@pytest.mark.parametrize(("package", "limit"), [
    (None, 64 << 10), ("example", 36 << 10), ("rings", 38 << 10)])  # of it kernels 8 KiB
def test_firmware_stays_within_its_budget(need, root, package, limit):
    need("arm-none-eabi-gcc")
    chosen = only(root / f"tests/golden/good/{package}.efm") if package else None
    assert flash_bytes(build.build("qemu-an386", chosen, small=bool(package))) <= limit
