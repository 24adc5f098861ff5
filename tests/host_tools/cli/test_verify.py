# SPDX-License-Identifier: Apache-2.0
"""`edgefm verify`: whole or not, here and on a device."""

from collections.abc import Callable
from pathlib import Path

Edgefm = Callable[..., str]


def test_verify_reads_all_of_a_package(net: Path, root: Path, edgefm: Edgefm,
                                       edgefm_error: Edgefm) -> None:
    assert f"{net}: " in edgefm("verify", net) and ", whole: " in edgefm("verify", net)
    old = root / "tests/golden/version_1/rings.efm"
    assert "an older edgefm" in edgefm_error("verify", old, net)
    data = bytearray(net.read_bytes())
    data[-1] ^= 1
    net.write_bytes(data)
    assert "checksum differs: the file is damaged" in edgefm_error("verify", net)
