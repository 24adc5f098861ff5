# SPDX-License-Identifier: Apache-2.0
"""`edgefm.Device`: what runs here runs on a board, with the same bits."""

from pathlib import Path

import numpy as np
import pytest

import edgefm
from edgefm.compiler.pipeline import Compiled
from edgefm.errors import BadInput, DeviceError


@pytest.fixture
def device(firmware: Path):
    with edgefm.Device(f"exec:{firmware}") as opened:
        yield opened


def test_a_board_gives_the_bits_of_this_machine(device, package: Path, compiled: Compiled) -> None:
    sent: list[tuple[int, int]] = []
    assert device.put(package, progress=lambda *now: sent.append(now)) == "net.efm"
    assert device.put(compiled, "other.efm") == "other.efm"
    assert {one.name for one in device.files()} == {"net.efm", "other.efm"}
    assert sent[-1] == (len(compiled.package),) * 2
    array = np.random.default_rng(4).integers(-128, 128, (1, 16, 20, 3), np.int8)
    stored = device.open("net.efm")
    with edgefm.open(package) as net:
        assert stored.inputs == net.inputs and stored.outputs == net.outputs
        for given in (array, array[0], {"pixels": array}):
            run = stored.run(given)
            assert run.end.ticks >= 0 and (run.outputs[0] == net.run(given)[0]).all()
            assert run.outputs[0].shape == net.run(given)[0].shape
    with pytest.raises(BadInput, match=":net.efm: input 'pixels': got float64"):
        stored.run(np.zeros((1, 16, 20, 3)))
    assert "int8 1x16x20x3 -> int8 1x4" in repr(stored)
    device.remove("other.efm")
    with pytest.raises(DeviceError, match="there is no :other.efm"):
        device.open("other.efm")


def test_a_device_without_a_name_for_bytes_or_closed_says_so(device) -> None:
    with pytest.raises(BadInput, match="got bytes without a name"):
        device.put(b"EFM1")
    assert device.info.board and "board" in repr(device)
    device.close()
    device.close()
    with pytest.raises(BadInput, match="this device is closed; open it again"):
        device.files()
    assert "closed" in repr(device)


def test_a_board_that_is_not_there_is_one_line() -> None:
    with pytest.raises(edgefm.EdgefmError, match="nowhere"):
        edgefm.Device("/dev/nowhere")
