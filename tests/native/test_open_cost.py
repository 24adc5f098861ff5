# SPDX-License-Identifier: Apache-2.0
"""What opening a package costs a Cortex-M4, which does it before every run: counted, emulated."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from networks import Network
from packages import build

from edgefm.compiler.options import CompileOptions
from edgefm.compiler.pipeline import compile_model

ROOT = Path(__file__).resolve().parents[2]
INSTRUCTIONS = 40  # per tick: one takes a nanosecond, the timer counts at 25 MHz
JOB = 0x21000000   # where the image looks for the package
FLAGS = ("-std=c11", "-Os", "-mcpu=cortex-m4", "-mthumb", "-ffreestanding", "-nostartfiles",
         "--specs=nosys.specs", "-ffunction-sections", "-Wl,--gc-sections")

Count = Callable[[Path], tuple[int, int]]


@pytest.fixture(scope="module")
def count(need: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Count:
    """Instructions to open a package that is a file, and to verify it."""
    compiler, emulator = need("arm-none-eabi-gcc"), need("qemu-system-arm")
    image = tmp_path_factory.mktemp("open") / "open.elf"
    folders = ("native/include", "native/src", "tests/support")
    subprocess.run(
        [compiler, *FLAGS, *(f"-I{ROOT / folder}" for folder in folders),
         "-T", str(ROOT / "tests/support/bare.ld"), str(ROOT / "tests/native/open_cost.c"),
         *map(str, sorted((ROOT / "native/src").rglob("*.c"))), "-lc", "-lgcc", "-o", str(image)],
        check=True)

    def run(package: Path) -> tuple[int, int]:
        done = subprocess.run(
            [emulator, "-M", "mps2-an386", "-display", "none", "-monitor", "none", "-serial",
             "none", "-semihosting-config", "enable=on,target=native", "-icount", "shift=0",
             "-device", f"loader,file={package},addr={JOB:#x},force-raw=on", "-kernel",
             str(image)], capture_output=True, text=True, timeout=100, check=True)
        opened, to_open, verified, to_verify = (
            int(line, 16) for line in (done.stdout + done.stderr).split())
        assert (opened, verified) == (0, 0)
        return to_open * INSTRUCTIONS, to_verify * INSTRUCTIONS

    return run


def stored(folder: Path, package: bytes) -> Path:
    path = folder / "net.efm"
    path.write_bytes(package)
    return path


def of_channels(channels: int) -> bytes:
    """A convolution that reads `channels` channels and makes 16."""
    net = Network(1)
    return build(net.graph(net.conv(net.input(1, 4, 4, channels), 16, kernel=1))).package


def test_opening_reads_no_weights_and_verifying_reads_all(count: Count, tmp_path: Path) -> None:
    few, many = of_channels(16), of_channels(1024)
    open_few, verify_few = count(stored(tmp_path, few))
    open_many, verify_many = count(stored(tmp_path, many))
    assert abs(open_many - open_few) <= 400
    assert 15 < (verify_many - verify_few) / (len(many) - len(few)) < 25


@pytest.mark.long
def test_opening_mobilenet_costs_a_part_of_a_percent_of_running_it(
        count: Count, data_dir: Path, tmp_path: Path) -> None:
    """It takes some 350 million instructions at best; checksums of all of it took 42 million."""
    model = data_dir / "models/tf2_mobilenet_v2_1.0_224_ptq.tflite"
    options = CompileOptions(fast=160 << 10, target="qspi-psram")
    to_open, to_verify = count(stored(tmp_path, compile_model(model, options).package))
    assert to_open <= 300_000
    assert to_verify <= 85_000_000
