# SPDX-License-Identifier: Apache-2.0
"""A headless Chromium over its debugging pipe: pages are opened, asked, and looked at."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Self

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
         "--disable-background-networking", "--remote-debugging-pipe", "about:blank")
PATIENCE = 60.0


def find_browser() -> str | None:
    """The program, None where there is none."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


class Browser:
    """One page of one browser; a context manager. `errors`: what its console complained about."""

    def __init__(self, program: str) -> None:
        self.errors: list[str] = []
        self._home = tempfile.TemporaryDirectory()
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()

        def connect() -> None:  # the browser reads from 3 and writes to 4
            kept = os.dup(theirs_in), os.dup(theirs_out)
            os.dup2(kept[0], 3)
            os.dup2(kept[1], 4)

        self._process = subprocess.Popen(
            [program, f"--user-data-dir={self._home.name}", *FLAGS], preexec_fn=connect,
            close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(theirs_in)
        os.close(theirs_out)
        self._number, self._rest, self._session = 0, b"", ""
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._ask("Target.attachToTarget", targetId=target,
                                  flatten=True)["sessionId"]
        for domain in ("Runtime", "Log", "Page"):
            self._ask(f"{domain}.enable")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._out)
        self._process.kill()
        self._process.wait()
        os.close(self._in)
        shutil.rmtree(self._home.name, ignore_errors=True)

    def open(self, url: str, width: int = 1100, height: int = 900, dark: bool = False) -> None:
        """Go to a page on a screen of this size."""
        self._ask("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=width < 600)
        self._ask("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        self._ask("Page.navigate", url=url)

    def value(self, expression: str) -> Any:
        """What a JavaScript expression is, as plain data."""
        answer = self._ask("Runtime.evaluate", expression=expression, returnByValue=True,
                           awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait_for(self, expression: str) -> Any:
        """The value of an expression once it is true."""
        until = time.monotonic() + PATIENCE
        while True:
            value = self.value(f"(() => {{ try {{ return {expression}; }} catch {{ return null; }} "
                               "})()")
            if value:
                return value
            assert time.monotonic() < until, f"{expression} has not become true"
            select.select([], [], [], 0.05)

    def picture(self, path: Path) -> None:
        """Save what is seen as a PNG."""
        data = self._ask("Page.captureScreenshot", captureBeyondViewport=True)["data"]
        path.write_bytes(base64.b64decode(data))

    def _ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            heard = self._hear()
            if heard.get("id") == self._number:
                assert "error" not in heard, heard["error"]
                return dict(heard["result"])

    def _hear(self) -> dict[str, Any]:
        until = time.monotonic() + PATIENCE
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._in], [], [], max(0.0, until - time.monotonic()))
            assert ready, "the browser is silent"
            part = os.read(self._in, 1 << 16)
            assert part, "the browser is gone"
            self._rest += part
        line, self._rest = self._rest.split(b"\0", 1)
        message: dict[str, Any] = json.loads(line)
        self._note(message)
        return message

    def _note(self, message: dict[str, Any]) -> None:
        fields = message.get("params", {})
        if message.get("method") == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(fields["exceptionDetails"])[:500])
        if message.get("method") == "Log.entryAdded" and fields["entry"]["level"] == "error":
            self.errors.append(f"{fields['entry']['text']} {fields['entry'].get('url', '')}")
        if message.get("method") == "Runtime.consoleAPICalled" and fields["type"] == "error":
            self.errors.append(json.dumps(fields["args"])[:500])
