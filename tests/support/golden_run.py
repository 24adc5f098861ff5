# SPDX-License-Identifier: Apache-2.0
"""Golden packages on a device."""

import json
from dataclasses import asdict
from pathlib import Path

from edgefm.package.outline import read_outline
from edgefm.runtime import Runtime
from host_tools.link.device import Device
from host_tools.link.events import RunEnd
from tests.golden.make import _digest, made_up


def check(device: Device, path: Path) -> RunEnd:
    """Copy a golden package, run it, compare with what it always gave, for a board in the first
    frame."""
    package, expected = path.read_bytes(), json.loads(path.with_suffix(".json").read_text())
    outline = read_outline(lambda at, count: package[at:at + count], len(package), path.name)
    inputs = [made_up(tensor.shape, tensor.dtype) for tensor in outline.info.inputs]
    device.put(path.name, package)
    run = device.run(path.name, outline.stream(inputs), outputs=outline.info.outputs, by_map=True)
    with Runtime(package) as runtime:
        host = runtime.run(inputs)
    assert run.maps == host.maps
    outputs = [_digest(output) for output in run.outputs]
    assert outputs == expected["outputs"][:len(outputs)]
    counted, first = asdict(run.end.counted), asdict(host.counters)
    if len(outputs) == len(expected["outputs"]):
        assert first.items() >= expected["counters"].items()
    assert counted == {key: first[key] for key in counted}
    assert run.end.fast_high_water <= expected["fast_bytes"]
    device.remove(path.name)
    return run.end
