# SPDX-License-Identifier: Apache-2.0
"""Shows MLPerf Tiny's runner a line without USB numbers, such as a pseudo-terminal.

The runner finds its devices by the numbers of their USB ports. With this folder on PYTHONPATH, the
line that EDGEFM_LINE names looks like a port with the numbers in `devices.yaml`. The runner itself
stays as it is. docs/MLPERF.md shows the whole call.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from types import ModuleType
from typing import Any

VENDOR, PRODUCT = 0x1209, 0x0001  # pid.codes: for tests


def show(line: str) -> None:
    """Let pyserial list `line` as a USB port, before all others."""
    from serial.tools import list_ports, list_ports_common

    there = list_ports.comports
    port = list_ports_common.ListPortInfo(line)
    port.vid, port.pid, port.description = VENDOR, PRODUCT, "edgefm"

    def comports(include_links: bool = False) -> list[Any]:
        return [port, *(other for other in there(include_links) if other.device != line)]

    list_ports.comports = comports


def stand_in(package: str, part: str, **members: object) -> None:
    """Where a package is missing that only the energy mode uses, an empty one will do."""
    if importlib.util.find_spec(package) is None:
        whole, module = ModuleType(package), ModuleType(f"{package}.{part}")
        vars(module).update(members)
        setattr(whole, part, module)
        sys.modules.update({package: whole, f"{package}.{part}": module})


if "EDGEFM_LINE" in os.environ:
    show(os.environ["EDGEFM_LINE"])
    stand_in("usb", "core", find=lambda **_: ())
    stand_in("matplotlib", "pyplot")
