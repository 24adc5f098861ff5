# SPDX-License-Identifier: Apache-2.0
"""Each checkout has a registry of its own, that nobody else may enter."""

import os
import stat
from pathlib import Path

import pytest

from edgefm.errors import BadInput
from host_tools.boards import registry


@pytest.fixture
def usual(tmp_path, monkeypatch):
    """The user's folder in a temporary folder of the test's own."""
    monkeypatch.delenv("EDGEFM_BOARDS", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path / f"edgefm-{os.getuid()}"


def checkout(path, monkeypatch):
    """Pretend that this is the checkout at `path`."""
    (path / "firmware/boards").mkdir(parents=True, exist_ok=True)
    monkeypatch.setattr(registry, "ROOT", path)
    monkeypatch.setattr(registry, "BOARDS", path / "firmware/boards")
    return registry.folder()


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_two_checkouts_have_two_registries(usual, tmp_path, monkeypatch):
    first, second = (checkout(tmp_path / name, monkeypatch) for name in ("a/edgefm", "b/edgefm"))
    assert first != second and first.parent == second.parent == usual / "boards"
    assert checkout(tmp_path / "a/edgefm", monkeypatch) == first
    assert first.name.startswith("edgefm-")


def test_installed_packages_have_one_together(usual, tmp_path, monkeypatch):
    for site in ("one/site-packages", "two/site-packages"):
        monkeypatch.setattr(registry, "ROOT", tmp_path / site)
        monkeypatch.setattr(registry, "BOARDS", tmp_path / site / "firmware/boards")
        assert registry.folder() == usual / "boards/installed"


def test_a_name_of_any_kind_gives_a_plain_folder(usual, tmp_path, monkeypatch):
    found = checkout(tmp_path / ("ö ,\n'x" + 90 * "y"), monkeypatch)
    assert found.name.isascii() and found.name.isprintable() and len(found.name) <= 45
    assert not set(found.name) & set(" ,'")


@pytest.mark.parametrize("runtime", [None, "", "/run/user/no-such"])
def test_every_session_of_a_user_finds_the_same(usual, monkeypatch, runtime):
    here = registry.folder()
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    if runtime is not None:
        monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
    assert registry.folder() == here


def test_nobody_else_may_enter_whatever_the_umask(usual):
    before = os.umask(0)
    try:
        found = registry.folder()
    finally:
        os.umask(before)
    assert {mode(path) for path in (found, *found.parents) if path.is_relative_to(usual)} == {0o700}


def test_what_was_left_open_is_closed(usual):
    usual.mkdir()
    usual.chmod(0o755)
    registry.folder()
    assert mode(usual) == 0o700


def test_another_users_folder_is_refused(usual, monkeypatch):
    usual.mkdir()
    another = os.getuid() + 1
    monkeypatch.setattr(os, "getuid", lambda: another)
    usual.rename(usual.with_name(f"edgefm-{another}"))
    with pytest.raises(BadInput, match=r"got a folder of user \d+, expected .* EDGEFM_BOARDS"):
        registry.folder()


@pytest.mark.parametrize("make", [
    lambda path: path.symlink_to("."), lambda path: path.write_text("x")], ids=["link", "file"])
def test_what_is_no_folder_is_refused(usual, make):
    make(usual)
    with pytest.raises(BadInput, match="EDGEFM_BOARDS names another") as caught:
        registry.folder()
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_named_is_taken_as_it_is(tmp_path, monkeypatch):
    monkeypatch.setenv("EDGEFM_BOARDS", str(tmp_path / "mine/boards"))
    assert registry.folder() == tmp_path / "mine/boards"
    (tmp_path / "mine/boards").chmod(0o755)
    assert mode(registry.folder()) == 0o755


def test_a_named_folder_in_which_others_may_write_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("EDGEFM_BOARDS", str(tmp_path / "open"))
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    with pytest.raises(BadInput, match="other users may write there; type: chmod"):
        registry.folder()


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("EDGEFM_BOARDS", str(Path("/proc/self/boards")))
    with pytest.raises(BadInput, match="/proc/self/boards: no folder for running boards: "):
        registry.folder()
