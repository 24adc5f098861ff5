# SPDX-License-Identifier: Apache-2.0
"""The zoo against a folder and a loopback server: checked, resumed, never half written."""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from edgefm import zoo
from edgefm.errors import BadInput
from edgefm.images.preprocess import parse_preprocess

CONTENT = bytes(range(256)) * 1000


class _Server(HTTPServer):
    """Serves CONTENT; `most` ends a reply early, `ranges` says whether parts may be asked for."""

    most: int | None = None
    ranges = True
    asked: list[str | None]


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        if self.path != "/model":
            self.send_error(404)
            return
        wanted = self.headers.get("Range")
        self.server.asked.append(wanted)
        start = int(wanted[6:-1]) if wanted and self.server.ranges else 0
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        self.wfile.write(CONTENT[start:][:self.server.most])

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def _serve(most: int | None = None, ranges: bool = True) -> Iterator[_Server]:
    server = _Server(("127.0.0.1", 0), _Handler)
    server.most, server.ranges, server.asked = most, ranges, []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _asset(server: HTTPServer | None = None, path: str = "/model") -> zoo.Asset:
    url = f"http://127.0.0.1:{server.server_port}{path}" if server else ""
    return zoo.Asset("net.tflite", len(CONTENT), hashlib.sha256(CONTENT).hexdigest(), url)


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def test_a_file_is_fetched_once_then_kept(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    environment = {"EDGEFM_CACHE": str(tmp_path / "deep" / "cache")}
    with _serve() as server:
        path = zoo.get(_asset(server), environment, lambda *at: seen.append(at))
        assert zoo.get(_asset(server), environment) == path
        assert len(server.asked) == 1
    assert path.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert [p.name for p in path.parent.iterdir()] == ["net.tflite"]


@pytest.mark.parametrize("ranges", [True, False])
def test_a_broken_connection_is_resumed(tmp_path: Path, ranges: bool) -> None:
    environment = {"EDGEFM_CACHE": str(tmp_path)}
    with _serve(most=100_000) as server, pytest.raises(BadInput, match="after 100000 of 256000"):
        zoo.get(_asset(server), environment)
    assert not (tmp_path / "net.tflite").exists()
    with _serve(ranges=ranges) as server:
        assert zoo.get(_asset(server), environment).read_bytes() == CONTENT
        assert server.asked == ["bytes=100000-"]


def test_a_wrong_file_is_refused_and_not_kept(tmp_path: Path) -> None:
    with _serve() as server:
        asset = zoo.Asset("net.tflite", len(CONTENT), "0" * 64, _asset(server).url)
        with pytest.raises(BadInput, match="SHA-256"):
            zoo.get(asset, {"EDGEFM_CACHE": str(tmp_path)})
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_cache_is_fetched_again(tmp_path: Path) -> None:
    (tmp_path / "net.tflite").write_bytes(b"damaged")
    with _serve() as server:
        path = zoo.get(_asset(server), {"EDGEFM_CACHE": str(tmp_path)})
    assert path.read_bytes() == CONTENT


def test_a_server_that_has_no_such_file_is_one_line(tmp_path: Path) -> None:
    with _serve() as server, pytest.raises(BadInput, match=r"cannot fetch .*: Not Found"):
        zoo.get(_asset(server, "/other"), {"EDGEFM_CACHE": str(tmp_path)})


def test_no_server_is_one_line(tmp_path: Path) -> None:
    with _serve() as server:
        asset = _asset(server)
    with pytest.raises(BadInput, match="cannot fetch"):
        zoo.get(asset, {"EDGEFM_CACHE": str(tmp_path)})


@pytest.mark.parametrize("folder", ["", "models", "models/labels"])
def test_the_mirror_is_read_first(tmp_path: Path, folder: str) -> None:
    path = tmp_path / folder / "net.tflite"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(CONTENT)
    assert zoo.get(_asset(), {"EDGEFM_ZOO_MIRROR": str(tmp_path)}) == path


def test_a_wrong_file_in_the_mirror_is_refused(tmp_path: Path) -> None:
    (tmp_path / "net.tflite").write_bytes(b"another model")
    with pytest.raises(BadInput, match="not the published"):
        zoo.get(_asset(), {"EDGEFM_ZOO_MIRROR": str(tmp_path)})


def test_a_model_without_an_address_asks_for_a_mirror(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="EDGEFM_ZOO_MIRROR"):
        zoo.get(_asset(), {"EDGEFM_CACHE": str(tmp_path)})


def test_the_cache_follows_the_environment() -> None:
    assert zoo.cache_dir({"EDGEFM_CACHE": "/a", "XDG_CACHE_HOME": "/b"}) == Path("/a")
    assert zoo.cache_dir({"XDG_CACHE_HOME": "/b"}) == Path("/b/edgefm")
    assert zoo.cache_dir({}).parts[-2:] == (".cache", "edgefm")


def test_entries_are_complete_and_their_preprocessing_is_readable() -> None:
    assert len({entry.name for entry in zoo.ENTRIES}) == len(zoo.ENTRIES)
    for entry in zoo.ENTRIES:
        assert len(bytes.fromhex(entry.model.sha256)) == 32
        if entry.preprocess and entry.geometry:
            parse_preprocess(entry.preprocess, entry.geometry)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(BadInput, match="mobilenet_v2, "):
        zoo.find("alexnet")


def test_every_entry_matches_the_real_files(data_dir: Path) -> None:
    environment = {"EDGEFM_ZOO_MIRROR": str(data_dir)}
    for entry in zoo.ENTRIES:
        path = zoo.get(entry.model, environment)
        assert path.stat().st_size == entry.model.size
        assert zoo.recognize(path) == entry
        if entry.labels:
            assert zoo.get(entry.labels, environment).stat().st_size == entry.labels.size


def test_another_file_is_not_recognized(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    assert zoo.recognize(tmp_path / "a") is None
    with pytest.raises(BadInput, match="none: no such file"):
        zoo.recognize(tmp_path / "none")
