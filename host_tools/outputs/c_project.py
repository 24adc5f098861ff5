# SPDX-License-Identifier: Apache-2.0
"""Packages as C: their headers, their bytes, the runtime cut to what they need, and a program."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgefm.errors import BadInput
from edgefm.files.write import make_folder, write_file
from edgefm.package.container import read_sections
from edgefm.package.read import PackageInfo, TensorInfo, read_info, read_needs
from edgefm.package.records import TENSOR, Section
from edgefm.runtime.sources import runtime_files
from host_tools.boards.switches import switches
from host_tools.outputs.amalgamation import amalgamated as one_file

_SPDX = "SPDX-License-Identifier: Apache-2.0"
_RESERVED = frozenset((  # words of C and C++, and names of this project
    "auto", "break", "case", "catch", "char", "class", "const", "continue", "default", "delete",
    "do", "double", "edgefm", "else", "enum", "export", "extern", "float", "for", "goto", "if",
    "inline", "int", "long", "main", "namespace", "new", "operator", "private", "public",
    "register", "restrict", "return", "short", "signed", "sizeof", "static", "struct", "switch",
    "template", "this", "throw", "try", "typedef", "union", "unsigned", "using", "virtual", "void",
    "volatile", "while"))
_PER_LINE = 24
_ALIGNMENT = 16  # of the package in memory
_LEAST_ARENA = 640  # EFM_OPEN_BYTES, which the header asserts
_BUILD_ONE = "cc -std=c11 -O2 -ffp-contract=off -I. *.c -o {net}"
_BUILD_MANY = ("cc -std=c11 -O2 -ffp-contract=off -I. -Iedgefm/include *.c "
               "$(find edgefm -name '*.c') -o {net}")

_PROGRAM = """\
/* {spdx} */
/* Runs {files} once: a ramp goes in, and the bytes that come out are printed.
 *
 *     {command}
 *
 * -ffunction-sections -Wl,--gc-sections make it small. A product has its own rows(), results(). */
#include <stdio.h>
{string}
{includes}

static _Alignas(8) uint8_t arena[{arena}];{why}
{memory}
static int32_t rows(void *context, uint32_t input, uint32_t y, uint8_t *row, uint32_t bytes)
{{
    (void)context, (void)input;
    for (uint32_t i = 0; i < bytes; i++) {{
        row[i] = (uint8_t)(y * bytes + i);
    }}
    return 0;
}}

static int32_t results(void *context, uint32_t output, uint32_t y, const uint8_t *row,
                       uint32_t bytes)
{{
    (void)context, (void)output, (void)y;
    for (uint32_t i = 0; i < bytes; i++) {{
        printf("%u\\n", row[i]);
    }}
    return 0;
}}

int main(void)
{{
    efm_counters counters;
    const efm_host host = {{.input = rows, .repeats = 1, .output = results{port}}};
    efm_status status = EFM_OK;
{runs}    return status == EFM_OK ? 0 : 1;
}}
"""
_RUN = """\
    if (status == EFM_OK) {{
        status = {net}_run(&host, arena, sizeof arena, &counters);
    }}
"""
_MEMORY = """\
static uint8_t external[{external}]; /* a board has SPI RAM or the like */

static int32_t begin_read(void *port, uint32_t address, uint8_t *to, uint32_t bytes,
                          uint32_t *ticket)
{{
    (void)port;
    *ticket = 0;
    memcpy(to, external + address, bytes);
    return 0;
}}

static int32_t begin_write(void *port, uint32_t address, const uint8_t *from, uint32_t bytes,
                           uint32_t *ticket)
{{
    (void)port;
    *ticket = 0;
    memcpy(external + address, from, bytes);
    return 0;
}}

static int32_t wait(void *port, uint32_t ticket)
{{
    (void)port;
    return ticket == 0 ? 0 : -1;
}}
"""
_PACKAGE = """\
/* {spdx} */
/* The package: {net}.efm, which a GNU assembler finds through -I; for others, as for Arduino, it is
 * {net}_bytes.h. */
#include "{net}.h"

#if defined(__GNUC__) && defined(__ELF__) && !defined(ARDUINO) && !defined({NET}_AS_ARRAY)
__asm__(".section .rodata.{net}_package, \\"a\\"\\n"
        ".balign {alignment}\\n"
        ".global {net}_package\\n"
        "{net}_package:\\n"
        ".incbin \\"{net}.efm\\"\\n"
        ".previous\\n");
#else
_Alignas({alignment}) const uint8_t {net}_package[{NET}_PACKAGE_BYTES] = {{
#include "{net}_bytes.h"
}};
#endif

efm_status {net}_run(const efm_host *host, uint8_t *arena, uint32_t arena_bytes,
                     efm_counters *counters)
{{
    efm_model model;
    efm_status status =
        efm_model_open(&model, {net}_package, {NET}_PACKAGE_BYTES, arena, arena_bytes);
    return status == EFM_OK ? efm_run(&model, host, arena, arena_bytes, counters) : status;
}}
"""


def c_name(stem: str) -> str:
    """A file's name as a C identifier in lower case: `mobilenet-v2` is `mobilenet_v2`."""
    name = re.sub(r"[^a-z0-9]+", "_", stem.lower()).strip("_")
    if not name or name[0].isdigit() or name in _RESERVED:
        name = f"net_{name}".rstrip("_")
    return name


@dataclass(frozen=True, slots=True)
class Net:
    """A package to be exported: its bytes, what it is called in messages, and a C identifier."""

    package: bytes
    file: str
    name: str


def c_project(nets: Sequence[Net], amalgamated: bool = False) -> Mapping[str, bytes]:
    """Files by path: the packages, one runtime that has what they need, and a program.

    `amalgamated` makes the runtime one C file and one header. Raises BadContainer for a damaged
    package, BadInput for two of one name, or without C sources.
    """
    names = [net.name for net in nets]
    if len(set(names)) < len(names):
        raise BadInput(f"got two packages that C calls {max(names, key=names.count)}, expected "
                       "files of different names")
    runtime = runtime_files()
    runtime["src/switches.h"] = _switches(_united(nets))
    build = _BUILD_ONE if amalgamated else _BUILD_MANY
    return {**{path: data for net in nets for path, data in _package_files(net).items()},
            "main.c": _program(nets, build).encode(),
            **(one_file(runtime) if amalgamated else
               {f"edgefm/{path}": data for path, data in runtime.items()})}


def build_command(nets: Sequence[Net], amalgamated: bool) -> str:
    """What to type in the folder."""
    return (_BUILD_ONE if amalgamated else _BUILD_MANY).format(net=nets[0].name)


def _united(nets: Sequence[Net]) -> Mapping[str, int]:
    """The switches of a runtime for all of them."""
    each = [switches(read_needs(net.package, net.file)) for net in nets]
    return {name: max(one[name] for one in each) for name in each[0]}


def _package_files(net: Net) -> Mapping[str, bytes]:
    name = net.name
    words = {"spdx": _SPDX, "net": name, "NET": name.upper(), "alignment": _ALIGNMENT}
    info = read_info(net.package, net.file)
    return {f"{name}.h": "".join(_header(name, net.package, info, net.file)).encode(),
            f"{name}.c": _PACKAGE.format(**words).encode(),
            f"{name}.efm": net.package, f"{name}_bytes.h": _array(net.package)}


def _program(nets: Sequence[Net], build: str) -> str:
    """The example. Networks that run in turn share one arena: a run needs nothing of the last."""
    needs = [read_needs(net.package, net.file) for net in nets]
    largest = max(range(len(nets)), key=lambda at: needs[at].fast_bytes)
    outside = max(range(len(nets)), key=lambda at: needs[at].external_bytes)
    external = needs[outside].external_bytes > 0
    memory = _MEMORY.format(external=f"{nets[outside].name.upper()}_EXTERNAL_BYTES")
    return _PROGRAM.format(
        spdx=_SPDX, files=", ".join(f"{net.name}.efm" for net in nets),
        command=build.format(net=nets[0].name),
        arena=f"{nets[largest].name.upper()}_ARENA_BYTES",
        why=" /* for one at a time */" if len(nets) > 1 else "",
        includes="\n".join(f'#include "{net.name}.h"' for net in nets),
        runs="".join(_RUN.format(net=net.name) for net in nets),
        port=", .port = {begin_read, begin_write, wait, 0}" if external else "",
        memory="\n" + memory if external else "",
        string="#include <string.h>\n" if external else "")


def write_c_project(files: Mapping[str, bytes], folder: Path) -> None:
    """Write the files below a folder, each whole or not at all. Raises BadInput."""
    for path, data in files.items():
        target = folder / path
        make_folder(target.parent)
        write_file(target, data)


def _switches(defines: Mapping[str, int]) -> bytes:
    """What the package does without, as the runtime's switches.h."""
    lines = [f"#ifndef {name}\n#define {name} 0\n#endif\n"
             for name, value in sorted(defines.items()) if not value]
    return (f"/* {_SPDX} */\n/* What the package does without. */\n#ifndef EFM_SWITCHES_H\n"
            f"#define EFM_SWITCHES_H\n\n{''.join(lines)}\n#endif\n").encode()


def _header(net: str, package: bytes, info: PackageInfo, file: str) -> Iterator[str]:
    """The header, in pieces."""
    NET, needs = net.upper(), read_needs(package, file)
    arena = max(needs.fast_bytes, _LEAST_ARENA)
    yield (f"/* {_SPDX} */\n/* A network for edgefm, made by `edgefm export --c`: its bytes and "
           f"its sizes. */\n#ifndef {NET}_H\n#define {NET}_H\n\n#include \"edgefm.h\"\n\n")
    yield (f"#define {NET}_PACKAGE_BYTES {len(package)}u\n"
           f"#define {NET}_ARENA_BYTES {arena}u /* fast memory to lend to efm_run() */\n"
           f"#define {NET}_EXTERNAL_BYTES {needs.external_bytes}u /* behind the port */\n")
    rows = list(TENSOR.iter_unpack(read_sections(package, file)[Section.TENSORS]))
    for kind, tensors, first in (("INPUT", info.inputs, 0),
                                 ("OUTPUT", info.outputs, len(info.inputs))):
        yield f"#define {NET}_{kind}S {len(tensors)}u\n"
        for index, tensor in enumerate(tensors):
            yield from _tensor(f"{NET}_{kind}_{index}", tensor, *rows[first + index][:2])
    yield (f"\n#ifdef __cplusplus\nextern \"C\" {{\n#define {NET}_ASSERT static_assert\n#else\n"
           f"#define {NET}_ASSERT _Static_assert\n#endif\n\n"
           f"extern const uint8_t {net}_package[{NET}_PACKAGE_BYTES];\n\n"
           "/* Opens the package, as every time is cheap, and runs it once. */\n"
           f"EFM_MUST_CHECK efm_status {net}_run(const efm_host *host, uint8_t *arena,\n"
           f"    uint32_t arena_bytes, efm_counters *counters);\n\n"
           f"{NET}_ASSERT(EFM_FORMAT_MAJOR == {needs.major}, "
           f"\"this runtime reads another format than {net}.efm has\");\n"
           f"{NET}_ASSERT({NET}_ARENA_BYTES >= EFM_OPEN_BYTES, \"opening needs more memory\");\n"
           "\n#ifdef __cplusplus\n}\n#endif\n\n#endif\n")


def _tensor(prefix: str, tensor: TensorInfo, rows: int, row_bytes: int) -> Iterator[str]:
    """Macros of one input or output; its name and shape are a comment."""
    shape = " x ".join(map(str, tensor.shape)) or "a number"
    yield f"\n/* {_comment(tensor.name)}: {tensor.dtype}, {shape} */\n"
    yield (f"#define {prefix}_TYPE EFM_TYPE_{tensor.dtype.upper()}\n"
           f"#define {prefix}_RANK {len(tensor.shape)}u\n"
           f"#define {prefix}_SHAPE {{{', '.join(f'{size}u' for size in tensor.shape)}}}\n"
           f"#define {prefix}_ROWS {rows}u\n#define {prefix}_ROW_BYTES {row_bytes}u\n")
    if tensor.scale:
        yield (f"#define {prefix}_SCALE {float(tensor.scale)!r}f\n"
               f"#define {prefix}_ZERO_POINT ({tensor.zero_point})\n")


def _comment(name: str) -> str:
    """A name from a model file that cannot end a comment, or begin a line."""
    return re.sub(r"[^A-Za-z0-9_.,:;/ -]|\*/|/\*|//", "?", name)[:100]


def _array(package: bytes) -> bytes:
    lines = (package[at:at + _PER_LINE] for at in range(0, len(package), _PER_LINE))
    return "".join(",".join(map(str, line)) + ",\n" for line in lines).encode()
