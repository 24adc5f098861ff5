# SPDX-License-Identifier: Apache-2.0
"""Target files: the sizes of a board's memories and the cost of a byte through each of them."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, fields, replace
from pathlib import Path

from edgefm.errors import BadInput
from edgefm.files.read import read_toml
from edgefm.kernels.sets import KERNEL_SETS
from edgefm.network.program import WeightPort
from edgefm.planner.arena import MAX_ALIGNMENT, MAX_BYTES, MAX_PAGE, MIN_PAGE
from edgefm.planner.figures import PROCESSORS


@dataclass(frozen=True, slots=True)
class Target:
    """Memories of a board. Costs are per byte, in any unit; only their ratios matter.
    `alignment` and `burst` (0 = no limit) are the external memory's: every transfer starts at and
    is rounded up to `alignment` bytes, and none is longer than `burst`. `buffers` is how many
    transfers a cursor keeps in flight: 1 waits for each, 2 overlap with computing. `weights` are
    mapped, or behind a port, whose `weight_alignment`, `weight_burst` and `weight_buffers` mean the
    same for tiles of them. `page` is the
    size of the page pool's pages. `kernels` names the processor's kernel set, which decides
    the layout of weights and the scratch of a firing.

    `processor` names the figures that instructions are predicted by (default: those of the kernel
    set). `clock` is in Hz, rates are in bytes per second (0: no time of their own), energies in
    picojoules per instruction or byte, `instruction_cost` is in the unit of the costs.
    """

    name: str = "generic"
    fast_bytes: int | None = None
    external_bytes: int = 16 << 20
    fast_cost: float = 0.0
    external_cost: float = 1.0
    weight_cost: float = 1.0
    alignment: int = 1
    page: int = 256
    burst: int = 0
    buffers: int = 1
    kernels: str = "portable"
    processor: str = ""
    clock: int = 0
    instructions_per_cycle: float = 1.0
    external_rate: int = 0
    weight_rate: int = 0
    instruction_cost: float = 0.0
    instruction_energy: float = 0.0
    external_energy: float = 0.0
    weight_energy: float = 0.0
    weights: str = "mapped"
    weight_alignment: int = 1
    weight_burst: int = 0
    weight_buffers: int = 2

    @property
    def counted_as(self) -> str:
        """The processor whose measured instructions this one's are predicted by, or nothing."""
        return self.processor or _COUNTED_AS.get(self.kernels, "")

    @property
    def weight_port(self) -> WeightPort | None:
        """The way to the weights where they are not mapped."""
        return None if self.weights == _WEIGHTS[0] else WeightPort(
            self.weight_alignment, self.weight_burst, self.weight_buffers)

    def with_budget(self, fast: int | None, external: int | None) -> Target:
        """The same board with other memory sizes, where they are given."""
        return replace(self, fast_bytes=self.fast_bytes if fast is None else fast,
                       external_bytes=self.external_bytes if external is None else external)

    def transfer_bytes(self, count: int) -> int:
        """Bytes that cross the external port for a transfer of `count` bytes."""
        return -(-count // self.alignment) * self.alignment


_COUNTED_AS = {"dsp": "cortex-m4", "mve": "cortex-m55"}

BUILT_IN = {
    "generic": Target(),
    # Quad-SPI PSRAM on a Cortex-M: chip-select time limits a burst, DMA overlaps with computing,
    # weights are read in place from memory-mapped flash of about the same speed.
    "qspi-psram": Target(name="qspi-psram", alignment=4, page=1024, burst=256, buffers=2),
    "cortex-m4": Target(name="cortex-m4", alignment=4, kernels="dsp"),    # M7 and M33, too
    "cortex-m55": Target(name="cortex-m55", alignment=4, kernels="mve"),  # and M85
    **{name: Target(name=name, processor=name) for name in (
        "cortex-m0plus", "rv32imac", "aarch64", "aarch64-sdot", "armv7")},
}

_WEIGHTS = ("mapped", "port")
_TEXTS = ("name", "kernels", "processor", "weights")
_POSITIVE = ("alignment", "page", "buffers", "weight_alignment", "weight_buffers")
_REAL = ("_cost", "_energy", "_per_cycle")
_LEAST = {"page": MIN_PAGE, "instructions_per_cycle": 0.01}
_MOST = {"alignment": MAX_ALIGNMENT, "buffers": 2, "page": MAX_PAGE,
         "weight_alignment": MAX_ALIGNMENT, "weight_buffers": 2}


def is_built_in(name: str) -> bool:
    """True for a target that has no file."""
    return name in BUILT_IN


def load_target(name_or_file: str | None) -> Target:
    """A built-in target by name, or a TOML file whose keys are Target's fields.

    Raises BadInput for an unknown name, a broken file, an unknown key or an impossible value.
    """
    if name_or_file is None:
        return BUILT_IN["generic"]
    if name_or_file in BUILT_IN:
        return BUILT_IN[name_or_file]
    path = Path(name_or_file)
    if not os.path.lexists(path):
        raise BadInput(f"target {name_or_file!r}: no such file, and not one of "
                       f"{', '.join(BUILT_IN)}")
    return _from_values(path, read_toml(path))


def _from_values(path: Path, values: dict[str, object]) -> Target:
    known = [f.name for f in fields(Target)]
    for key, value in values.items():
        if key not in known:
            raise BadInput(f"{path}: unknown key {key[:60]!r}; expected {', '.join(known)}")
        _check_value(path, key, value)
    target = Target(**{"name": path.stem, **values})  # type: ignore[arg-type]
    for kind in ("", "weight_"):
        burst, alignment = (getattr(target, kind + what) for what in ("burst", "alignment"))
        if burst % alignment:
            raise BadInput(f"{path}: {kind}burst = {burst}; expected a multiple of "
                           f"{kind}alignment ({alignment})")
    return target


def _check_value(path: Path, key: str, value: object) -> None:
    shown = repr(value)[:60]
    if key in _TEXTS:
        if not isinstance(value, str):
            raise BadInput(f"{path}: {key} = {shown}; expected text")
        if key == "kernels" and value not in KERNEL_SETS:
            raise BadInput(f"{path}: kernels = {shown}; expected one of {', '.join(KERNEL_SETS)}")
        if key == "processor" and value not in PROCESSORS:
            raise BadInput(f"{path}: processor = {shown}; expected one of {', '.join(PROCESSORS)}")
        if key == "weights" and value not in _WEIGHTS:
            raise BadInput(f"{path}: weights = {shown}; expected one of {', '.join(_WEIGHTS)}")
        return
    cost = key.endswith(_REAL)
    if isinstance(value, bool) or not isinstance(value, (int, float) if cost else int):
        raise BadInput(f"{path}: {key} = {shown}; expected {'a' if cost else 'a whole'} number")
    least = _LEAST.get(key, int(key in _POSITIVE))
    most = math.inf if cost else _MOST.get(key, MAX_BYTES)
    if not math.isfinite(value) or not least <= value <= most:
        raise BadInput(f"{path}: {key} = {shown} is out of range; expected {least} to {most}")
