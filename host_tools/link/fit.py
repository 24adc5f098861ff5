# SPDX-License-Identifier: Apache-2.0
"""Will this package run on that device? Answered before a byte of it is sent."""

from __future__ import annotations

from collections.abc import Iterable

from edgefm.errors import Infeasible, UnsupportedModel
from edgefm.package.read import Needs
from host_tools.link.capability import Info


def check_fit(needs: Needs, info: Info, name: str) -> None:
    """Raises UnsupportedModel or Infeasible, saying what is needed, what is there, and where."""
    where = f"{name} on {info.board}"
    if needs.major != info.format_major:
        raise UnsupportedModel(f"{where}: package format {needs.major}, the device reads "
                               f"{info.format_major}")
    _check_numbers(where, "features", _numbers(needs.features), info.features)
    _check_numbers(where, "operators", needs.operators, info.operators)
    _check_numbers(where, "decoders", needs.codecs - {0}, info.decoders)
    if needs.external_bytes and needs.alignment % info.alignment:
        raise UnsupportedModel(f"{where}: transfers of external memory aligned to "
                               f"{needs.alignment} bytes, the device needs {info.alignment}")
    for what, need, there in (
            ("fast memory", needs.fast_bytes, info.fast_bytes),
            ("external memory", needs.external_bytes, info.external_bytes),
            ("room for one package", needs.bytes, info.largest_package)):
        if need > there:
            raise Infeasible(f"{where}: needs {need} bytes of {what}, the device has {there}",
                             need, what)


def _numbers(bits: int) -> list[int]:
    return [i for i in range(bits.bit_length()) if bits >> i & 1]


def _check_numbers(where: str, what: str, needed: Iterable[int], there: int) -> None:
    missing = sorted(number for number in needed if not there >> number & 1)
    if missing:
        raise UnsupportedModel(f"{where}: needs {what} {', '.join(map(str, missing))}; the device "
                               f"has {', '.join(map(str, _numbers(there)))}")
