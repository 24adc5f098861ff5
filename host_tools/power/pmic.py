# SPDX-License-Identifier: Apache-2.0
"""The power management chip of a Raspberry Pi 5: 12 rails with volts and amperes each.

`vcgencmd pmic_read_adc` prints lines such as `DDR_VDD2_A current(2)=0.02440000A` and
`DDR_VDD2_V volt(10)=1.10780000V`. The DRAM has rails of its own (DDR_VDD2, DDR_VDDQ): what they
take is what the external memory takes. VDD_CORE is the processor. Rails with volts only (EXT5V,
BATT) have no power and are left out.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence

from edgefm.errors import LinkError, LinkLost
from host_tools.power.meter import Meter, MeterOptions, read_number
from host_tools.power.polled import PolledMeter
from host_tools.recording.chunks import Column

KIND = "pi-pmic"
PROGRAM = "vcgencmd"
COMMAND = "pmic_read_adc"
POLLS = 50.0
ANSWER_SECONDS = 2.0
LSB = 1e-8              # of volts and amperes as printed
EXTERNAL_MEMORY = ("DDR_VDD2", "DDR_VDDQ")
_LINE = re.compile(r"\s*(\w+)_([AV])\s+(?:current|volt)\(\d+\)\s*=\s*([-+.\deE]+[um]?)[AV]\s*")


def read_rails(text: str) -> dict[str, tuple[float, float]]:
    """Volts and amperes by rail, of rails that have both."""
    found: dict[str, dict[str, float]] = {}
    for line in text.splitlines():
        match = _LINE.fullmatch(line)
        value = read_number(match[3]) if match else None
        if match and value is not None:
            found.setdefault(match[1], {})[match[2]] = value
    return {rail: (pair["V"], pair["A"]) for rail, pair in found.items() if len(pair) == 2}


class PiPmic(PolledMeter):
    """The Pi that this runs on."""

    def __init__(self, options: MeterOptions) -> None:
        options.allow("polls")
        program = shutil.which(options.where or PROGRAM)
        if program is None:
            raise LinkError(f"{options.where or PROGRAM}: no such program; it comes with "
                            "Raspberry Pi OS")
        self._program = program
        rails = read_rails(self._ask())
        if not rails:
            raise LinkError(f"{program} {COMMAND}: no rail with volts and amperes in its answer; "
                            "only a Raspberry Pi 5 has them")
        self._rails = tuple(rails)
        columns: list[Column] = []
        for rail in self._rails:
            at = len(columns)
            columns += [Column(rail, "volts", LSB), Column(rail, "amperes", LSB),
                        Column(rail, "watts", product=(at, at + 1))]
        super().__init__(KIND, columns, options.number("polls") or POLLS, {
            "kind": KIND, "rails": list(self._rails),
            "external_memory_rails": [r for r in EXTERNAL_MEMORY if r in rails]})

    def poll(self) -> Sequence[float] | None:
        """Every rail; None when one is missing from the answer."""
        rails = read_rails(self._ask())
        if any(rail not in rails for rail in self._rails):
            return None
        return [value for rail in self._rails for value in rails[rail]]

    def _ask(self) -> str:
        try:
            done = subprocess.run([self._program, COMMAND], capture_output=True, text=True,
                                  errors="replace", check=False, timeout=ANSWER_SECONDS)
        except subprocess.TimeoutExpired:
            raise LinkLost(f"{self._program}: no answer in {ANSWER_SECONDS:g} s") from None
        except OSError as error:
            raise LinkLost(f"{self._program}: {error.strerror}") from None
        return done.stdout


def find() -> list[str]:
    """The program's path on a Pi whose chip answers with rails."""
    program = shutil.which(PROGRAM)
    if program is None:
        return []
    try:
        done = subprocess.run([program, COMMAND], capture_output=True, text=True, check=False,
                              errors="replace", timeout=ANSWER_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [program] if read_rails(done.stdout) else []


def open_meter(options: MeterOptions) -> Meter:
    """Open the chip. Raises LinkError."""
    return PiPmic(options)
