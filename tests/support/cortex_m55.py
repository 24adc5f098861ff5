# SPDX-License-Identifier: Apache-2.0
"""Programs of tests on an emulated Cortex-M55."""

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

FLAGS = ("-mcpu=cortex-m55", "-mthumb", "-mfloat-abi=hard")
MACHINE = ("-M", "mps3-an547", "-display", "none", "-monitor", "none", "-serial", "none",
           "-semihosting-config", "enable=on,target=native")


def run_on_cortex_m55(root: Path, need: Callable[[str], str], folder: Path,
                      arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Compile a program of newlib's, of `arguments` of the compiler, and run it to its end."""
    program, boards = folder / "program.elf", root / "firmware/boards"
    built = subprocess.run([
        need("arm-none-eabi-gcc"), *FLAGS, "-std=gnu11", "-O2", "-specs=nano.specs",
        "-specs=nosys.specs", "-nostartfiles", "-Wl,--gc-sections,--wrap=main",
        *(f"-I{boards / name}" for name in ("cortex_m", "bare")),
        f"-I{root / 'native/src'}", f"-I{root / 'native/include'}",
        *arguments, str(root / "tests/native/semihosting.c"),
        str(boards / "cortex_m/startup.c"), f"-L{boards / 'cortex_m'}", "-T",
        str(boards / "qemu-an547/memory.ld"), "-o", str(program)], text=True,
        capture_output=True, check=False)
    assert built.returncode == 0, built.stderr
    return subprocess.run([need("qemu-system-arm"), *MACHINE, "-kernel", str(program)], text=True,
                          capture_output=True, check=False, timeout=300)
