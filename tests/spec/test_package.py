# SPDX-License-Identifier: Apache-2.0
"""What `./inv package` writes: archives that build, manifests by one description, whole wheels."""

import io
import json
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from networks import Network
from PIL import Image

from edgefm.exporters.tflite import export_tflite
from edgefm.runtime.sources import runtime_files

Need = Callable[[str], str]
USER = """
#include <stdio.h>
#include "edgefm.h"
int main(void)
{
    efm_model model;
    static _Alignas(8) uint8_t arena[EFM_OPEN_BYTES];
    printf("%s %s\\n", efm_version(),
           efm_status_name(efm_model_open(&model, arena, sizeof arena, arena, sizeof arena)));
    return 0;
}
"""
FOUND = "find_package(edgefm {version} REQUIRED)"
FETCHED = """include(FetchContent)
FetchContent_Declare(edgefm URL {archive})
FetchContent_MakeAvailable(edgefm)"""
PROJECT = """cmake_minimum_required(VERSION 3.16)
project(user C)
{how}
add_executable(user user.c)
target_link_libraries(user PRIVATE edgefm::edgefm)
"""
SKETCH_LINES = ("name", "version", "author", "maintainer", "sentence", "paragraph", "category",
                "url", "architectures")  # that Arduino's specification demands


@pytest.fixture(scope="module")
def dist(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archives of C."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, root / "tools/package.py", "--only-c", "--to", folder],
                   check=True, env={**os.environ, "PYTHONPATH": str(root)}, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def version(root: Path) -> str:
    said = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    return str(said["project"]["version"])


@pytest.fixture
def library(dist: Path, version: str, tmp_path: Path) -> Path:
    """The C library, unpacked."""
    with tarfile.open(dist / f"edgefm-c-{version}.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path / f"edgefm-{version}"


def cmake(need: Need, source: Path, target: Path, *options: str) -> None:
    """Configure and build without optimizing: what is tried is the project."""
    quick = ("-DCMAKE_C_FLAGS=-DEFM_KERNEL_X86=0 -Wall -Wextra -Werror", *options)
    for words in (("-S", source, "-B", target, *quick), ("--build", target)):
        subprocess.run([need("cmake"), *words], check=True, capture_output=True)


@pytest.mark.parametrize("how", ["found", "fetched"])
def test_cmake_builds_it(how: str, dist: Path, version: str, library: Path, tmp_path: Path,
                         need: Need) -> None:
    user, options = tmp_path / "user", tuple[str, ...]()
    user.mkdir()
    (user / "user.c").write_text(USER)
    text = FETCHED.format(archive=dist / f"edgefm-c-{version}.tar.gz")
    if how == "found":
        cmake(need, library, tmp_path / "made", f"-DCMAKE_INSTALL_PREFIX={tmp_path / 'prefix'}")
        subprocess.run([need("cmake"), "--install", tmp_path / "made"], check=True,
                       capture_output=True)
        text, options = FOUND.format(version=version), (f"-Dedgefm_ROOT={tmp_path / 'prefix'}",)
    (user / "CMakeLists.txt").write_text(PROJECT.format(how=text))
    cmake(need, user, tmp_path / "built", *options)
    done = subprocess.run([tmp_path / "built/user"], capture_output=True, text=True, check=True)
    assert done.stdout == f"{version} EFM_BAD_MAGIC\n"


def test_platformios_manifest_has_the_fields_of_its_schema(library: Path, version: str) -> None:
    said = json.loads((library / "library.json").read_text(encoding="utf-8"))
    assert re.fullmatch(r"[\w .-]+", said["name"]) and said["version"] == version
    assert len(said["description"]) <= 255 and isinstance(said["keywords"], str)
    assert said["license"] == "Apache-2.0" and said["authors"][0]["name"]
    assert set(said["build"]) <= {"flags", "unflags", "includeDir", "srcDir", "srcFilter",
                                  "extraScript", "libArchive", "libLDFMode", "libCompatMode"}
    for key in ("includeDir", "srcDir"):
        assert (library / said["build"][key]).is_dir()
    assert (library / said["build"]["includeDir"] / said["headers"]).is_file()


def fields(text: str) -> dict[str, str]:
    """The scalars of a small YAML file, by the last key of each."""
    return {key: value.strip().strip('"') for key, value in
            re.findall(r"^[ ]*(\w+):[ ]*(.+)$", text, re.MULTILINE)}


def test_esp_idfs_manifest_has_the_fields_of_its_schema(library: Path, version: str) -> None:
    text = (library / "idf_component.yml").read_text(encoding="utf-8")
    said = fields(text)
    assert re.fullmatch(r"\d+\.\d+\.\d+", version) and said["version"] == version
    assert said["license"] == "Apache-2.0" and said["url"].startswith("https://")
    assert said["idf"].startswith(">=") and said["description"]
    top = set(re.findall(r"^(\w+):", text, re.MULTILINE))
    assert top <= {"version", "description", "url", "license", "tags", "dependencies"}
    tags = re.findall(r"^  - (.+)$", text, re.MULTILINE)
    assert tags and all(re.fullmatch(r"[a-z0-9_-]{3,32}", tag) for tag in tags)
    assert "idf_component_register(" in (library / "CMakeLists.txt").read_text(encoding="utf-8")


def test_zephyrs_module_names_what_is_there(library: Path) -> None:
    said = fields((library / "zephyr/module.yml").read_text(encoding="utf-8"))
    assert said["name"] == "edgefm" and (library / said["kconfig"]).is_file()
    build = library / said["cmake"] / "CMakeLists.txt"
    kconfig = (library / said["kconfig"]).read_text(encoding="utf-8")
    [symbol] = re.findall(r"^config (\w+)\n\tbool ", kconfig, re.MULTILINE)
    text = build.read_text(encoding="utf-8")
    assert f"if(CONFIG_{symbol})" in text
    listed = re.findall(r"^ +(\.\./src/\S+\.c)", text, re.MULTILINE)
    assert {(build.parent / path).resolve() for path in listed} == set(
        (library / "src").resolve().rglob("*.c"))


def test_arduinos_library_has_the_layout_of_its_specification(dist: Path, version: str) -> None:
    with zipfile.ZipFile(dist / f"edgefm-arduino-{version}.zip") as archive:
        names = archive.namelist()
        lines = dict(line.split("=", 1) for line in archive.read(
            "edgefm/library.properties").decode().splitlines())
    assert set(SKETCH_LINES) <= lines.keys() and lines["version"] == version
    assert lines["category"] in ("Data Processing", "Signal Input/Output", "Other")
    assert re.fullmatch(r"[A-Za-z0-9][\w .-]{0,62}", lines["name"])
    assert not lines["name"].lower().startswith("arduino") and all(lines.values())
    assert {f"edgefm/{name}" for name in ("src/edgefm.c", "src/edgefm.h", "LICENSE",
                                          "examples/Minimal/Minimal.ino")} <= set(names)
    assert all(name.startswith("edgefm/") for name in names)


def test_equal_sources_give_equal_archives(root: Path, dist: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, root / "tools/package.py", "--only-c", "--to", tmp_path],
                   check=True, env={**os.environ, "PYTHONPATH": str(root)}, capture_output=True)
    assert len(list(dist.iterdir())) == 3
    for path in dist.iterdir():
        assert path.read_bytes() == (tmp_path / path.name).read_bytes()


def test_the_c_library_is_the_runtime(dist: Path, version: str) -> None:
    with tarfile.open(dist / f"edgefm-c-{version}.tar.gz") as archive:
        prefix = f"edgefm-{version}/"
        found = {member.name.removeprefix(prefix): archive.extractfile(member)
                 for member in archive.getmembers()}
        assert all((found[path] or io.BytesIO()).read() == data
                   for path, data in runtime_files().items())


INSTALLED = """
import sys
from host_tools.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.long
def test_an_installed_wheel_exports_and_flashes_without_a_checkout(
        root: Path, need: Need, tmp_path: Path, need_module: Callable[[str], None]) -> None:
    """Beside this environment's other packages, in an empty home."""
    need_module("pip")
    need("arm-none-eabi-gcc"), need("qemu-system-arm")
    site, home = tmp_path / "site", tmp_path / "home"
    home.mkdir()
    source = tmp_path / "source"
    subprocess.run([sys.executable, "setup.py", "--quiet", "sdist", "--dist-dir", source],
                   cwd=root, check=True, capture_output=True)
    [archive] = source.iterdir()
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--no-deps",
                    "--no-build-isolation", "--target", site, archive], check=True,
                   env={**os.environ, "HOME": str(home)})
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(site),
                   "TMPDIR": str(tmp_path)}

    def run(*words: str | Path) -> str:
        done = subprocess.run([sys.executable, "-c", INSTALLED, *words], cwd=home, text=True,
                              env=environment, capture_output=True, check=False, timeout=300)
        assert done.returncode == 0, done.stderr
        return done.stdout

    package = root / "tests/golden/good/example.efm"
    run("export", package, "--c", home / "c", "--amalgamated")
    assert (home / "c/edgefm.c").stat().st_size > 500_000
    assert "qemu-an386" in run("boards")
    picture_and_model(home)
    try:
        said = [run(*words[1:]) for words in documented(root)]
    finally:
        assert "stopped qemu-an386" in run("stop")
    assert "qemu-an386 runs" in said[0] and "net.efm" in said[1] and "class" in said[2]
    assert (home / ".cache/edgefm/firmware/qemu-an386").is_dir()
    assert not (site / "build").exists()


def documented(root: Path) -> list[list[str]]:
    """The commands of LIBRARY.md that follow `pip install`."""
    text = (root / "docs/LIBRARY.md").read_text(encoding="utf-8")
    [block] = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    first, *others = (line.partition("#")[0].split() for line in block.splitlines())
    assert first == ["pip", "install", "edgefm"] and 0 < len(others) < 5
    return others


def picture_and_model(folder: Path) -> None:
    net = Network(5, name="net")
    x = net.mean(net.conv(net.input(1, 32, 32, 3), 8, stride=2))
    (folder / "net.tflite").write_bytes(export_tflite(net.graph(net.softmax(net.dense(x, 10)))))
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    Image.fromarray(pixels).save(folder / "cat.jpg")
