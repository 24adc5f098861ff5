# SPDX-License-Identifier: Apache-2.0
"""The device verbs against the firmware on `sim`: what they print, skip and refuse."""

import argparse
import functools
import hashlib
import json
import socket
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from sim_board import QUICK, listening

from edgefm.errors import BadInput, DeviceError, LinkLost
from edgefm.package.read import read_info
from edgefm.runtime import Runtime
from host_tools.boards.running import Running, announce
from host_tools.cli import main
from host_tools.cli.board import Board, on_device
from host_tools.cli.deploy import suit
from host_tools.cli.store import connect, device_name, store_of
from host_tools.link.session import Session

BYTES = ("external_read_bytes", "external_write_bytes", "weight_read_bytes")


@pytest.fixture(autouse=True)
def boards(tmp_path, monkeypatch):
    """No board but those of the test."""
    monkeypatch.setenv("EDGEFM_BOARDS", str(tmp_path / "boards"))
    monkeypatch.setattr("serial.tools.list_ports.comports", lambda: [])


@pytest.fixture
def start(firmware, tmp_path):
    """`start(...)` runs a board with these options until the test is over; gives its URL."""
    running = []

    def run(*options, name="sim"):
        running.append(listening(firmware, "--name", name, *options))
        process, url = running[-1].__enter__()
        announce(Running(name, url, process.pid))
        return url

    yield run
    for one in running:
        one.__exit__(None, None, None)


@pytest.fixture(scope="module")
def net(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("net") / "net.efm"
    assert main(["compile", str(model), "-o", str(path)]) == 0
    return path


@pytest.fixture
def fails(capfd):
    """`fails("rm", ":a")` gives the one line of complaint."""

    def call(*arguments):
        assert main([str(argument) for argument in arguments]) == 2
        printed, complaint = capfd.readouterr()
        assert printed == "" and complaint.count("\n") == 1
        return complaint

    return call


def test_a_package_is_copied_listed_hashed_and_removed(start, edgefm, net):
    start()
    assert "SHA-256 read back" in edgefm("cp", net, ":net.efm")
    assert "is there already" in edgefm("cp", net, ":")
    digest = hashlib.sha256(net.read_bytes()).hexdigest()
    printed = edgefm("ls", "+", "sha256", ":net.efm", "+", "rm", "net.efm", "+", "ls", "--json")
    lines = printed.splitlines()
    assert lines[0].split() == [f"{net.stat().st_size:,}", "net.efm"]
    assert lines[1] == f"{digest}  :net.efm"
    assert json.loads(lines[2])["files"] == []


def test_force_sends_again_what_is_there(start, edgefm, net):
    start()
    edgefm("cp", net, ":")
    assert "read back" in edgefm("cp", "-f", net, ":")


def test_files_are_copied_back_and_on_the_device(start, edgefm, net, tmp_path):
    start()
    edgefm("cp", net, ":a", "+", "cp", ":a", ":b", "+", "cp", ":a", ":b", tmp_path)
    for name in "ab":
        assert (tmp_path / name).read_bytes() == net.read_bytes()


def test_a_run_on_the_device_prints_what_a_run_here_prints(start, edgefm, net, photos):
    start()
    here = edgefm("run", net, photos / "3.png")
    assert edgefm("cp", net, ":", "+", "run", ":net.efm", photos / "3.png").endswith(here)
    assert "class" in here


def test_threads_are_for_packages_that_run_here(start, edgefm, edgefm_error, net, photos):
    start()
    edgefm("cp", net, ":")
    assert "got --threads 2, expected none" in edgefm_error("run", ":net.efm", photos / "3.png",
                                                            "--threads", "2")


def test_json_of_a_run_has_the_hosts_digest(start, edgefm, edgefm_json, net, photos, tmp_path):
    start()
    edgefm("cp", net, ":")
    there = edgefm_json("run", ":net.efm", photos / "3.png", "--out", tmp_path / "there.npy",
                        "--repeat", "2")
    here = edgefm_json("run", net, photos / "3.png", "--out", tmp_path / "here.npy")
    assert {key: there[key] for key in here} == here
    value = np.load(tmp_path / "here.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "there.npy"), value)
    assert there["outputs_sha256"] == hashlib.sha256(value.tobytes()).hexdigest()


def test_a_run_takes_an_input_that_is_stored(start, edgefm, edgefm_json, net, tmp_path):
    start()
    pixels = np.random.default_rng(2).integers(0, 256, (1, 16, 16, 3), np.uint8)
    np.save(tmp_path / "x.npy", pixels)
    (tmp_path / "x.bin").write_bytes(pixels.tobytes())
    edgefm("cp", net, tmp_path / "x.bin", ":")
    sent = edgefm_json("run", ":net.efm", tmp_path / "x.npy")
    stored = edgefm_json("run", ":net.efm", ":x.bin")
    assert sent["outputs_sha256"] == stored["outputs_sha256"]


def test_profile_has_the_promised_fields(start, edgefm, edgefm_json, net, photos):
    start()
    edgefm("cp", net, ":")
    fields = edgefm_json("profile", ":net.efm", photos / "1.png")
    plan = read_info(net.read_bytes()).plan
    assert fields["board"] == "sim" and fields["unit"] == "us" and fields["total"] > 0
    assert 0 < fields["fast_bytes_high_water"] <= plan["fast_bytes"]
    assert [stage["name"] for stage in fields["stages"]] == [s["name"] for s in plan["stages"]]
    for stage, planned in zip(fields["stages"], plan["stages"], strict=True):
        assert {name: stage[name] for name in BYTES} == {name: planned[name] for name in BYTES}
    assert {name: fields[name] for name in BYTES} == {name: plan[name] for name in BYTES}
    with Runtime(net.read_bytes()) as runtime:
        assert len(fields["outputs_sha256"]) == 64 and runtime.inputs
    printed = edgefm("profile", ":net.efm", photos / "1.png")
    assert "SHA-256 of outputs" in printed and fields["outputs_sha256"] in printed


def test_maps_are_counted_one_by_one_here_and_there(start, edgefm, edgefm_json, model, photos,
                                                    tmp_path):
    start()
    net = tmp_path / "coded.efm"
    edgefm("compile", model, "-o", net, "--cut", "ops", "--codec", "zvc")
    edgefm("cp", net, ":")
    here = edgefm_json("run", net, photos / "1.png")
    there = edgefm_json("run", ":coded.efm", photos / "1.png")
    profiled = edgefm_json("profile", ":coded.efm", photos / "1.png")
    assert here["maps"] == there["maps"] == profiled["maps"] != []
    assert sum(one["write_bytes"] for one in here["maps"]) == here["external_write_bytes"]
    assert sum(one["read_bytes"] for one in here["maps"]) == here["external_read_bytes"]
    assert {one["codec"] for one in here["maps"]} >= {"zvc"}
    printed = edgefm("profile", ":coded.efm", photos / "1.png")
    assert "stored map" in printed and f"{here['maps'][0]['bits_per_value']:.2f}" in printed


def test_deploy_compiles_for_the_board(start, edgefm, edgefm_json, model, net):
    start("--fast-bytes", 2048)
    edgefm("deploy", model, "+", "cp", ":small.efm", net.parent / "small.efm")
    plan = read_info((net.parent / "small.efm").read_bytes()).plan
    assert plan["fast_bytes"] <= 2048
    assert edgefm_json("profile", ":small.efm")["fast_bytes"] == plan["fast_bytes"]
    assert "there already" in edgefm("deploy", model, ":small.efm")
    assert "read back" in edgefm("deploy", model, ":other", "--fast", "1900")


@pytest.mark.parametrize(("named", "given", "expected"), [
    ("cortex-m4", {}, (2048, 512, "cortex-m4")),
    ("", {}, (2048, 512, None)),
    ("a later board", {}, (2048, 512, None)),
    ("cortex-m4", {"target": "generic"}, (2048, None, "generic")),
    ("cortex-m4", {"fast": 1024, "external": 0}, (1024, 0, "cortex-m4"))])
def test_deploy_takes_from_the_board_what_the_command_line_leaves_open(named, given, expected):
    asked = argparse.Namespace(**{"fast": None, "external": None, "target": None, **given})
    suit(asked, SimpleNamespace(fast_bytes=2048, external_bytes=512, target=named))
    assert (asked.fast, asked.external, asked.target) == expected


def test_a_package_is_deployed_as_it_is(start, edgefm, net):
    start()
    assert "read back" in edgefm("deploy", net)
    assert "there already" in edgefm("cp", net, ":")


def test_a_board_that_does_not_run_is_told_by_name(fails):
    assert "edgefm flash sim starts one" in fails("connect", "sim")


def test_info_df_and_devs_say_what_is_there(start, edgefm, edgefm_json):
    url = start("--fast-bytes", 65536)
    assert url in edgefm("devs")
    assert edgefm_json("devs")["boards"] == [{"name": "sim", "url": url, "runs_here": True}]
    assert edgefm_json("info")["fast_bytes"] == 65536
    assert "64.0 KiB" in edgefm("info")
    assert edgefm_json("df")["free"] == edgefm_json("info")["store_bytes"]
    assert "largest" in edgefm("df")


def test_reset_keeps_the_store(start, edgefm, net, tmp_path):
    start("--flash", tmp_path / "flash")
    assert "net.efm" in edgefm("cp", net, ":", "+", "reset", "+", "ls").splitlines()[-1]


def test_connect_names_the_board_of_what_follows(start, edgefm, firmware):
    start(name="one")
    url = start("--fast-bytes", 4096, name="two")
    assert "4.0 KiB" in edgefm("connect", "two", "info")
    assert "4.0 KiB" in edgefm("connect", url, "+", "info")
    assert "1.0 MiB" in edgefm("connect", "one", "ls", "+", "info")
    assert "2.0 KiB" in edgefm("connect", f"exec:{firmware} --fast-bytes 2048", "info")


def test_the_environment_names_the_board_and_connect_another(start, edgefm, fails, monkeypatch):
    start(name="one")
    url = start("--fast-bytes", 4096, name="two")
    for named in ("two", url):
        monkeypatch.setenv("EDGEFM_BOARD", named)
        assert "4.0 KiB" in edgefm("info") and "1.0 MiB" in edgefm("connect", "one", "info")
    monkeypatch.setenv("EDGEFM_BOARD", "sim")
    assert "no board sim is running" in fails("ls")
    monkeypatch.setenv("EDGEFM_BOARD", "")
    assert "found 2 boards" in fails("ls") and "EDGEFM_BOARD" in fails("ls")


def test_ls_takes_names_and_says_what_is_there_instead(start, edgefm, edgefm_json, fails, net):
    start()
    edgefm("cp", net, ":a", "+", "cp", net, ":b")
    assert edgefm("ls", ":") == edgefm("ls") == edgefm("fs", "ls")
    assert [line.split()[1] for line in edgefm("ls", ":b").splitlines()] == ["b"]
    assert [one["name"] for one in edgefm_json("ls", ":b", "a")["files"]] == ["b", "a"]
    assert "there is no :c; the device holds :a, :b" in fails("ls", ":a", ":c")


def test_words_of_mpremote_do_what_they_do_there(start, edgefm, fails, net, tmp_path):
    start("--flash", tmp_path / "flash")
    edgefm("fs", "cp", net, ":net.efm")
    digest = hashlib.sha256(net.read_bytes()).hexdigest()
    assert edgefm("sha256sum", ":net.efm") == edgefm("fs", "sha256sum", ":net.efm") == (
        f"{digest}  :net.efm\n")
    assert "net.efm" in edgefm("soft-reset", "+", "ls")
    edgefm("fs", "rm", ":net.efm")
    assert edgefm("ls") == ""
    assert "runs networks, not Python" in fails("exec", "print(1)")
    assert "is not a file on a device; write it :x" in fails("cat", "x")


def test_no_board_or_several_without_a_name_are_an_error(start, fails, edgefm):
    assert "no board is connected or running" in fails("ls")
    assert "no board is connected" in edgefm("devs")
    urls = start(name="one"), start(name="two")
    complaint = fails("ls")
    assert "found 2 boards" in complaint and all(url in complaint for url in urls)


def test_what_the_device_cannot_run_is_refused_before_it_is_sent(start, fails, edgefm, net):
    start("--fast-bytes", 640)
    plan = read_info(net.read_bytes()).plan
    complaint = fails("cp", net, ":")
    assert f"needs {plan['fast_bytes']} bytes of fast memory, the device has 640" in complaint
    assert edgefm("ls") == ""


def test_a_package_for_another_target_is_refused_before_it_is_sent(start, fails, edgefm, root):
    start("--alignment", 64)
    package = root / "tests/golden/good/external.efm"
    assert "transfers of external memory aligned to" in fails("cp", package, ":")
    assert edgefm("ls") == ""


def test_a_silent_device_is_one_line(fails, monkeypatch):
    monkeypatch.setattr("host_tools.boards.connect.Session",
                        functools.partial(Session, timing=QUICK))
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"socket://127.0.0.1:{server.getsockname()[1]}"
        assert f"{url}: no answer to HELLO in 2 s" in fails("connect", url)


def test_a_device_that_dies_is_one_line(fails, firmware, monkeypatch):
    with listening(firmware) as (process, url):
        board = Board()
        connect(board, url)
        process.kill()
        process.wait()
        with pytest.raises(LinkLost, match="gone while"):
            store_of(board).files()
        board.close()
    assert "cannot be opened" in fails("connect", url)


def test_a_damaged_package_is_refused_before_it_is_sent(start, fails, edgefm, net, tmp_path):
    start()
    data = bytearray(net.read_bytes())
    data[99] ^= 1
    (tmp_path / "bad.efm").write_bytes(data)
    assert "differs: the file is damaged" in fails("cp", tmp_path / "bad.efm", ":")
    assert edgefm("ls") == ""


def test_a_full_store_is_told_with_need_and_have(start, fails, edgefm, net, tmp_path):
    start("--flash-bytes", 32768)
    (tmp_path / "big").write_bytes(bytes(20_000))
    edgefm("cp", tmp_path / "big", ":")
    complaint = fails("cp", tmp_path / "big", ":other")
    assert "other needs 20000 bytes of the store, the largest free piece has" in complaint
    (tmp_path / "big").write_bytes(bytes(21_000))
    assert "--replace removes the old file first" in fails("cp", tmp_path / "big", ":")
    assert "read back" in edgefm("cp", "--replace", tmp_path / "big", ":")


@pytest.mark.parametrize(("line", "said"), [
    (("rm", ":nothing"), "there is no :nothing; the device holds :net.efm"),
    (("sha256", ":nothing"), "there is no :nothing"),
    (("cp", ":nothing", "x"), "there is no :nothing"),
    (("run", ":nothing", "x.npy"), "there is no :nothing"),
    (("run", ":net.efm", "x.npy"), "x.npy"),
    (("run", ":net.efm", ":x.bin"), "NOT_FOUND (-38): x.bin"),
    (("run", ":net.efm", "a.npy", "b.npy"), "got 2 input files, expected 1"),
    (("profile", "net.efm", "x.npy"), "write it :net.efm"),
    (("cp", "a", "b"), "neither a nor b is on the device"),
    (("cp", "a", "b", ":c"), "2 files do not go into one, :c"),
    (("cp", "missing", ":"), "missing: no such file"),
    (("rm", ":"), "is not a name for a file on a device"),
    (("cp", __file__, ":" + 33 * "x"), "expected 1 to 32 bytes"),
    (("connect", "/dev/null-and-void"), "cannot be opened")])
def test_mistakes_are_one_line(start, fails, edgefm, net, line, said):
    start()
    edgefm("cp", net, ":")
    assert said in fails(*line)


def test_a_package_that_was_cut_on_the_device_is_one_line(start, fails, edgefm, net, tmp_path,
                                                          photos):
    start()
    data = net.read_bytes()
    for name, part in (("half", data[:len(data) // 2]), ("head", data[:70]), ("none", b"EF")):
        (tmp_path / name).write_bytes(part)
        with Board() as board, suppress(DeviceError):  # a device refuses what begins like a package
            store_of(board).put(name, part)
        assert fails("run", f":{name}", photos / "1.png").startswith("edgefm: ")


def test_a_board_that_died_is_not_listed(edgefm, firmware):
    with listening(firmware) as (process, url):
        announce(Running("sim", url, process.pid))
        assert url in edgefm("devs")
    assert url not in edgefm("devs")


def test_names_on_the_device():
    assert on_device(":a") == "a" and on_device(Path("a")) is None and on_device(":") == ""
    assert device_name(":a") == device_name("a") == "a"
    with pytest.raises(BadInput):
        device_name("::a")


def test_a_board_is_listed_flashed_and_stopped_by_its_name(edgefm, fails, need):
    need("cc")
    assert any(line.startswith("sim ") for line in edgefm("boards").splitlines())
    try:
        assert "sim runs" in edgefm("flash", "sim")
        assert "running: sim at " in edgefm("boards")
        assert "sim" in edgefm("devs")
    finally:
        assert "stopped sim at" in edgefm("stop", "sim")
    assert "no board of this checkout runs" in edgefm("stop")
    assert "board 'no-such' is not known; expected one of" in fails("flash", "no-such")
    assert "no board 'sim' of this checkout runs" in fails("stop", "sim")


def test_memory_is_tested_and_its_bandwidth_told(start, edgefm):
    start("--external-bytes", 1 << 18)
    printed = edgefm("memory", "test")
    assert "no two addresses alike" in printed and "4 writes and 4 reads under way" in printed
    assert printed.count("  ok\n") > 20 and " per second, in transfers of 4,096 bytes" in printed
    told = json.loads(edgefm("memory", "test", "--bytes", "64K", "--json"))
    assert {one["bytes"] for one in told["passes"]} == {64 << 10, 8192}
    assert not any(one["fault"] for one in told["passes"])


def test_faulty_memory_ends_with_one_line(start, capfd):
    start("--external-bytes", 1 << 18, "--fault", "stuck")
    assert main(["memory", "test"]) == 2
    printed, complaint = capfd.readouterr()
    assert complaint.count("\n") == 1 and "0x3039: wrote ff, read f7" in complaint
    assert "1 bytes differ" in printed
    start("--external-bytes", 1 << 18, "--fault", "refuse", name="other")
    assert main(["connect", "other", "memory", "test"]) == 2
    assert "the port refused a transfer" in capfd.readouterr().err


def test_memory_that_is_not_there_is_not_tested(start, fails):
    start("--external-bytes", 0)
    assert "no external memory" in fails("memory", "test")
    start("--external-bytes", 4096, "--alignment", 4, name="other")
    assert "got 3 bytes, expected at least 4" in fails("connect", "other", "memory", "test",
                                                      "--bytes", "3")
