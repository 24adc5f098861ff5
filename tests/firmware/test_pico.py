# SPDX-License-Identifier: Apache-2.0
"""The firmware for a Raspberry Pi Pico, in rp2040js: its start, its UART, and how it writes the
flash that it runs from.

It needs node, and a folder that RP2040JS_DIR names: `npm install --prefix DIR rp2040js@1.4.1`.
"""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from golden_run import check

from host_tools.boards.build import build
from host_tools.boards.image import flash_image, seal_boot2
from host_tools.link.device import Device
from host_tools.link.transport import open_transport

EMULATOR = Path(__file__).resolve().parent.parent / "support" / "pico.mjs"


@pytest.fixture(scope="module")
def pico(need, tmp_path_factory) -> Iterator[str]:
    """The line of a Pico that runs its firmware."""
    folder = os.environ.get("RP2040JS_DIR", "")
    if not (Path(folder) / "node_modules/rp2040js").is_dir():
        pytest.skip("needs the emulator rp2040js: RP2040JS_DIR names no folder with it; type: "
                    "npm install --prefix DIR rp2040js@1.4.1")
    node = need("node")
    need("arm-none-eabi-gcc")
    image = tmp_path_factory.mktemp("pico") / "image"
    image.write_bytes(seal_boot2(flash_image(build("pico").read_bytes())[1]))
    with subprocess.Popen([node, str(EMULATOR), folder, str(image)], stdout=subprocess.PIPE,
                          text=True) as process:
        yield process.stdout.readline().strip()
        assert process.poll() is None, "code ran from flash that could not be read"
        process.kill()


def test_a_pico_gives_the_hosts_bytes(pico, root):
    with Device(open_transport(pico)) as device:
        assert device.info.board == "pico" and device.info.timer_works
        check(device, root / "tests/golden/good/example.efm")


def test_files_of_any_length_are_written_to_the_flash_that_runs(pico):
    with Device(open_transport(pico)) as device:
        files = {f"f{size}": bytes((7 * i + size) % 251 for i in range(size))
                 for size in (1, 255, 256, 257, 5000)}
        for name, data in files.items():
            device.put(name, data)
        device.put("f257", b"again")
        device.remove("f1")
        assert {name: device.get(name) for name in files if name != "f1"} == {
            **{name: data for name, data in files.items() if name != "f1"}, "f257": b"again"}
        assert sorted(file.name for file in device.files()) == ["f255", "f256", "f257", "f5000"]
        for file in device.files():
            device.remove(file.name)
