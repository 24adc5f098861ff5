# SPDX-License-Identifier: Apache-2.0
"""The C library as other package managers want it: their manifests, from one description.

CMake (find_package, FetchContent), PlatformIO, ESP-IDF and Zephyr share one folder; Arduino's has
the runtime in one file. The description is pyproject.toml.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SPDX = "# SPDX-License-Identifier: Apache-2.0\n"
FLAGS = "-O2 -ffp-contract=off -ffunction-sections -fdata-sections"


@dataclass(frozen=True, slots=True)
class Library:
    """What the manifests say of the project."""

    name: str
    version: str
    summary: str
    license: str
    url: str
    maintainer: str
    keywords: Sequence[str]


def described(pyproject: Path) -> Library:
    """The library as pyproject.toml has it; `[tool.edgefm.library]` has what Python needs not."""
    said = tomllib.loads(pyproject.read_text(encoding="utf-8"))
    project, more = said["project"], said["tool"]["edgefm"]["library"]
    return Library(project["name"], project["version"], project["description"],
                   project["license"], more["url"], more["maintainer"], more["keywords"])


def manifests(library: Library, sources: Sequence[str]) -> Mapping[str, str]:
    """Files by path of the shared folder; `sources` are its C files, `src/…`."""
    return {"CMakeLists.txt": _cmake(library, sources),
            "cmake/edgefmConfig.cmake": _CMAKE_CONFIG,
            "library.json": _platformio(library),
            "idf_component.yml": _esp_idf(library),
            "zephyr/module.yml": _ZEPHYR_MODULE,
            "zephyr/Kconfig": _ZEPHYR_KCONFIG.format(summary=library.summary),
            "zephyr/CMakeLists.txt": _zephyr_cmake(sources)}


def arduino(library: Library) -> Mapping[str, str]:
    """Arduino's manifest: `library.properties`, whose lines are in its documented order."""
    lines = {"name": library.name, "version": library.version, "author": library.maintainer,
             "maintainer": library.maintainer, "sentence": library.summary + ".",
             "paragraph": "Export a network with `edgefm export net.efm --c SKETCH` and include "
                          "net.h. The runtime has no heap and no globals.",
             "category": "Data Processing", "url": library.url, "architectures": "*",
             "includes": "edgefm.h", "license": library.license}
    return {"library.properties": "".join(f"{key}={value}\n" for key, value in lines.items())}


_CMAKE_CONFIG = SPDX + """\
include("${CMAKE_CURRENT_LIST_DIR}/edgefmTargets.cmake")
"""


def _cmake(library: Library, sources: Sequence[str]) -> str:
    listed = "\n".join(f"    {source}" for source in sources)
    return SPDX + f"""\
# {library.summary}.
#
# The target edgefm::edgefm, for find_package(edgefm), FetchContent and add_subdirectory;
# a component, where ESP-IDF reads this.
cmake_minimum_required(VERSION 3.16)

set(EDGEFM_SOURCES
{listed})
set(EDGEFM_FLAGS {FLAGS})

if(ESP_PLATFORM)
    idf_component_register(SRCS ${{EDGEFM_SOURCES}} INCLUDE_DIRS include)
    target_compile_options(${{COMPONENT_LIB}} PRIVATE ${{EDGEFM_FLAGS}})
    return()
endif()

project(edgefm VERSION {library.version} LANGUAGES C)
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

add_library(edgefm STATIC ${{EDGEFM_SOURCES}})
add_library(edgefm::edgefm ALIAS edgefm)
target_compile_features(edgefm PUBLIC c_std_11)
if(NOT MSVC)
    target_compile_options(edgefm PRIVATE ${{EDGEFM_FLAGS}})
endif()
target_include_directories(edgefm PUBLIC
    $<BUILD_INTERFACE:${{CMAKE_CURRENT_SOURCE_DIR}}/include>
    $<INSTALL_INTERFACE:${{CMAKE_INSTALL_INCLUDEDIR}}>)

set(EDGEFM_CONFIG ${{CMAKE_INSTALL_LIBDIR}}/cmake/edgefm)
install(TARGETS edgefm EXPORT edgefmTargets ARCHIVE DESTINATION ${{CMAKE_INSTALL_LIBDIR}})
install(DIRECTORY include/ DESTINATION ${{CMAKE_INSTALL_INCLUDEDIR}})
install(EXPORT edgefmTargets NAMESPACE edgefm:: DESTINATION ${{EDGEFM_CONFIG}})
write_basic_package_version_file(${{CMAKE_CURRENT_BINARY_DIR}}/edgefmConfigVersion.cmake
    COMPATIBILITY SameMinorVersion)
install(FILES cmake/edgefmConfig.cmake ${{CMAKE_CURRENT_BINARY_DIR}}/edgefmConfigVersion.cmake
    DESTINATION ${{EDGEFM_CONFIG}})
"""


def _platformio(library: Library) -> str:
    return json.dumps({
        "name": library.name, "version": library.version, "description": library.summary,
        "keywords": ", ".join(library.keywords), "license": library.license,
        "homepage": library.url, "authors": [{"name": library.maintainer, "maintainer": True}],
        "frameworks": "*", "platforms": "*", "headers": "edgefm.h",
        "build": {"flags": FLAGS, "includeDir": "include", "srcDir": "src",
                  "libArchive": True}}, indent=2) + "\n"


def _esp_idf(library: Library) -> str:
    tags = "".join(f"  - {word}\n" for word in library.keywords)
    return SPDX + f"""\
version: "{library.version}"
description: "{library.summary}"
url: "{library.url}"
license: "{library.license}"
tags:
{tags}dependencies:
  idf: ">=5.0"
"""


_ZEPHYR_MODULE = SPDX + """\
name: edgefm
build:
  cmake: zephyr
  kconfig: zephyr/Kconfig
"""
_ZEPHYR_KCONFIG = SPDX + """\
config EDGEFM
\tbool "edgefm"
\thelp
\t  {summary}.
"""


def _zephyr_cmake(sources: Sequence[str]) -> str:
    listed = "\n".join(f"        ../{source}" for source in sources)
    return SPDX + f"""\
if(CONFIG_EDGEFM)
    zephyr_include_directories(../include)
    zephyr_library_named(edgefm)
    zephyr_library_sources(
{listed})
    zephyr_library_compile_options({FLAGS})
endif()
"""
