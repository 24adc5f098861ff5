# SPDX-License-Identifier: Apache-2.0
"""The result of a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from edgefm.console.notation import size_text
from edgefm.errors import BadInput
from edgefm.html.notebook import fields_table
from edgefm.network.graph import Array
from edgefm.package.counters import MapCounters


@dataclass(frozen=True, slots=True)
class Counters:
    """Bytes of one run, counted by the C runtime where they cross a memory's port."""

    external_read_bytes: int
    external_write_bytes: int
    weight_read_bytes: int
    input_read_bytes: int
    output_write_bytes: int
    coded_bytes: int
    coded_values: int
    coded_rows: int
    raw_rows: int
    pool_bytes: int
    pool_values: int
    pool_pages: int
    capped_rows: int
    largest_shift: int
    reference_bytes: int
    weight_port_bytes: int


_CROSSED = {"external read": "external_read_bytes", "external written": "external_write_bytes",
            "weights read": "weight_read_bytes"}


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class RunResult:
    """Outputs in graph order; `maps` has the traffic of each stored map, in the plan's order.

    `result[0]` and `result["scores"]` are outputs by position and by name, and a result can be
    iterated over and unpacked: `boxes, classes = result`. `shares` are the multiply-adds of each
    thread's part of the work, () where there is one thread.

    With `taps=True`, `streams` has the rows that entered the ring of each stream of the plan (None
    for a stream without a tensor of the graph), and `taps` has the same by name of tensor.
    """

    outputs: list[Array]
    counters: Counters
    streams: Sequence[Array | None]
    taps: Mapping[str, Array]
    maps: tuple[MapCounters, ...] = ()
    names: tuple[str, ...] = ()
    shares: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.outputs)

    def __iter__(self) -> Iterator[Array]:
        return iter(self.outputs)

    def __getitem__(self, which: int | str) -> Array:
        """An output by position (IndexError when there is none) or by name (BadInput)."""
        if not isinstance(which, str):
            return self.outputs[which]
        if which not in self.names:
            raise BadInput(f"outputs: got the name {which!r:.60}, expected one of "
                           f"{', '.join(map(repr, self.names))}")
        return self.outputs[self.names.index(which)]

    def __repr__(self) -> str:
        return f"<RunResult {', '.join(self._outputs().values())}>"

    def _repr_html_(self) -> str:
        crossed = {word: size_text(getattr(self.counters, name)) for word, name in _CROSSED.items()}
        return fields_table("RunResult", {**self._outputs(), **crossed})

    def _outputs(self) -> dict[str, str]:
        """The type of each output by its name, or by its number where it has none."""
        names = self.names or tuple(f"output {i}" for i in range(len(self.outputs)))
        return {name: f"{array.dtype} {list(array.shape)}"
                for name, array in zip(names, self.outputs, strict=True)}
