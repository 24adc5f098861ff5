# SPDX-License-Identifier: Apache-2.0
"""Switches that leave out what a package does not use."""

import os
import re

import packages
import pytest
from networks import Network, scale

from edgefm.errors import BadInput
from edgefm.network.graph import Quant
from edgefm.package.read import read_needs
from host_tools.boards.switches import only, switches

NOT_CHOSEN = {"EFM_WITH_TAP", "EFM_WITH_PREPARE", "EFM_WITH_WORKERS"}


def test_every_operator_and_codec_of_the_runtime_has_its_switch(root):
    package = root / "tests/golden/good/example.efm"
    config, *lists = ((root / "native/src" / path).read_text()
                      for path in ("config.h", "ops/list.h", "codecs/list.h"))
    named = set(re.findall(r"#ifndef (EFM_WITH_\w+)", config)) - NOT_CHOSEN
    named |= {f"EFM_WITH_{name}" for name in re.findall(r"X\(\d+, (\w+), ", "".join(lists))}
    assert set(switches(read_needs(package.read_bytes()))) == named


def test_what_a_package_uses_stays(root):
    chosen = only(root / "tests/golden/good/ebpc.efm")
    assert chosen["EFM_WITH_EBPC"] == 1 and chosen["EFM_WITH_CONTEXT"] == 0
    assert chosen["EFM_WITH_DETECTION"] == 0 and 1 in chosen.values()


@pytest.mark.parametrize("zero_point", [-128, 7])
def test_firmware_for_pixels_does_not_take_real_numbers(tmp_path, zero_point):
    net = Network()
    net.inputs.append(net.tensor((1, 4, 4, 3), Quant(scale(1.0), (zero_point,))))
    path = tmp_path / "x.efm"
    path.write_bytes(packages.build(net.graph(net.pool(net.inputs[0], "max_pool", 1, 1))).package)
    chosen = only(path)
    assert chosen["EFM_WITH_FLOATS"] == (zero_point != -128) and chosen["EFM_WITH_HELP"] == 0


def test_what_is_no_regular_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "x.efm")
    with pytest.raises(BadInput, match="a FIFO, expected a regular file"):
        only(tmp_path / "x.efm")
