# SPDX-License-Identifier: Apache-2.0
"""INA219, INA226, INA228, INA260 and relatives, through Linux' hwmon files.

The kernel's drivers (ina2xx, ina238, ina3221) give in*_input in mV, curr*_input in mA, power1_input
in uW, update_interval in ms, and labels where the device tree has them. A chip on an Arduino-style
breakout is bound with `echo ina219 0x40 > /sys/bus/i2c/devices/i2c-1/new_device`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgefm.errors import LinkError, LinkLost
from host_tools.power.meter import Meter, MeterOptions
from host_tools.power.polled import PolledMeter
from host_tools.recording.chunks import Column

KIND = "ina"
ROOT = "EDGEFM_HWMON"   # another place than /sys/class/hwmon, for tests and containers
CHIPS = re.compile(r"ina(2\d\d|2xx|3221|7\d\d)")
MOST_POLLS, LEAST_POLLS = 500.0, 1.0
GONE = (FileNotFoundError, ProcessLookupError)


@dataclass(frozen=True, slots=True)
class Rail:
    """Files of one rail; `power` is None where the chip does not multiply."""

    name: str
    volts: Path
    amperes: Path
    power: Path | None


class Ina(PolledMeter):
    """One chip, one or three rails."""

    def __init__(self, folder: Path, options: MeterOptions) -> None:
        options.allow("polls")
        self._folder, chip = folder, _text(folder / "name")
        self._rails = find_rails(folder)
        if not self._rails:
            raise LinkError(f"{folder}: {chip or 'no name'}: expected the hwmon folder of an INA "
                            "chip with curr*_input and in*_input")
        interval = _number(folder / "update_interval")
        fastest = min(MOST_POLLS, 1e3 / interval if interval else MOST_POLLS)
        polls = min(options.number("polls") or fastest, fastest)
        columns: list[Column] = []
        for rail in self._rails:
            at = len(columns)
            columns += [Column(rail.name, "volts", 1e-3), Column(rail.name, "amperes", 1e-3),
                        Column(rail.name, "watts", 1e-6) if rail.power else
                        Column(rail.name, "watts", product=(at, at + 1))]
        super().__init__(f"{chip}@{folder.name}", columns, max(polls, LEAST_POLLS), {
            "kind": KIND, "chip": chip, "folder": str(folder), "update_interval_ms": interval,
            "shunt_micro_ohm": _number(folder / "shunt_resistor")})

    def poll(self) -> Sequence[float] | None:
        """Every rail's files; None when one cannot be read as a number."""
        row: list[float] = []
        for rail in self._rails:
            for path, unit in ((rail.volts, 1e-3), (rail.amperes, 1e-3), (rail.power, 1e-6)):
                if path is None:
                    continue
                try:
                    row.append(int(path.read_text()) * unit)
                except GONE as error:
                    raise LinkLost(f"{self.name}: {path.name} is gone: {error.strerror}") from None
                except (OSError, ValueError, OverflowError):  # a silent bus, half a number
                    return None
        return row


def find_rails(folder: Path) -> list[Rail]:
    """Rails that have a voltage and a current file. Voltage in0 is the shunt's, not the bus'."""
    rails = []
    for current in sorted(folder.glob("curr*_input")):
        number = current.name.removeprefix("curr").removesuffix("_input")
        volts, power = folder / f"in{number}_input", folder / f"power{number}_input"
        if volts.is_file():
            label = next((text for stem in (f"in{number}_label", f"curr{number}_label", "label")
                          if (text := _text(folder / stem))), f"rail {number}")
            rails.append(Rail(label, volts, current, power if power.is_file() else None))
    return rails


def find() -> list[str]:
    """Folders of INA chips."""
    root = Path(os.environ.get(ROOT, "/sys/class/hwmon"))
    return sorted(str(folder) for folder in root.glob("hwmon*")
                  if CHIPS.fullmatch(_text(folder / "name")) and find_rails(folder))


def open_meter(options: MeterOptions) -> Meter:
    """Open the chip whose folder is `where`. Raises LinkError."""
    return Ina(Path(options.where), options)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()[:80]
    except OSError:
        return ""


def _number(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text.isdecimal() and len(text) < 16 else None
