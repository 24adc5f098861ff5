# SPDX-License-Identifier: Apache-2.0
"""Real networks on `sim` within real budgets: the host's bits, the plan's bytes."""

import hashlib

import pytest

from edgefm.compiler.options import CompileOptions
from edgefm.compiler.pipeline import compile_model
from edgefm.evaluate.diff import random_inputs
from edgefm.importers import load
from edgefm.runtime import Runtime
from host_tools.boards.build import build
from host_tools.link.device import Device
from host_tools.link.transport import ProcessTransport

COUNTED = ("external_read_bytes", "external_write_bytes", "weight_read_bytes", "input_read_bytes",
           "output_write_bytes")
MODELS = ("kws_ref_model", "pretrainedResnet_quant", "person_detect", "vww_96_int8",
          "mobilenet_v2_1.0_224_quant")


@pytest.fixture(scope="module")
def device(need):
    need("cc")
    with Device(ProcessTransport([str(build("sim")), "--fast-bytes", "65536"])) as found:
        yield found


@pytest.mark.parametrize("name", MODELS)
def test_a_real_network_gives_the_hosts_bytes_in_64_kib(device, data_dir, name):
    path = data_dir / "models" / f"{name}.tflite"
    package = compile_model(path, CompileOptions(fast=65536)).package
    inputs = random_inputs(load(path), 1)
    with Runtime(package) as runtime:
        expected = runtime.run(inputs)
    device.put("net", package)
    outline = device.outline("net")
    end = device.run("net", outline.stream(inputs)).end
    assert end.outputs_sha256 == hashlib.sha256(
        b"".join(value.tobytes() for value in expected.outputs)).digest()
    assert end.fast_high_water <= outline.info.plan["fast_bytes"] <= 65536
    for field in COUNTED:
        assert getattr(end.counted, field) == outline.info.plan[field], field
