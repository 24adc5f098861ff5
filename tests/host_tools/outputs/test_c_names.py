# SPDX-License-Identifier: Apache-2.0
"""Names of file scope are found in C of this project's style, and changed where they are meant."""

import re
from pathlib import Path

import pytest

from host_tools.outputs.c_names import LOCAL, defined, macros, renamed


@pytest.mark.parametrize(("text", "names"), [
    ("static int f(int x)\n{\n    return g(x);\n}\n", {"f"}),
    ("static int f(int x);\nextern const int y;\nint g(void)\n{\n    return 0;\n}\n", set()),
    ("EFM_INLINE EFM_TARGET int f(void)\n{\n    return 0;\n}\n", {"f"}),
    ("enum { A = 1 << (2), B };\nenum kind { C };\n", {"A", "B", "kind", "C"}),
    ("typedef struct s {\n    int a, b[4];\n} t;\n", {"s", "t"}),
    ("typedef void dots(const int *x);\ntypedef int (*made)(void);\n", {"dots", "made"}),
    ("static const struct {\n    int a;\n} rows[] = {{1}, {2}};\n", {"rows"}),
    ("static void (*const makers[][6])(int) = {{f, g}};\n", {"makers"}),
    ("MADE_OF(1)\nMADE_OF(2)\nstatic const int classes[] = {LIST(X) 0};\n", {"classes"}),
    ('static __attribute__((noinline, target("a(b)"))) int f(void)\n{\n    return 0;\n}\n', {"f"}),
    ("#define TWO(x) \\\n    static int x;\n/* static int y; */\nstatic int z;\n", {"z"}),
    ('static const char s[] = "static int q;";\n', {"s"})])
def test_what_a_file_defines(text: str, names: set[str]) -> None:
    assert defined(text) == names


def test_macros_that_say_static_are_known(root: Path) -> None:
    text = "".join(path.read_text("utf-8") for path in (root / "native/src").rglob("*.h"))
    text += (root / "native/include/edgefm_bytes.h").read_text("utf-8")
    said = re.findall(r"^#define (\w+)[ ]+(?:EFM_TARGET )?static\b", text, re.MULTILINE)
    assert {"static", *said} == LOCAL


def test_every_macro_once() -> None:
    assert macros("#define A 1\n/* #define B */\n#  define C(x) x\n#define A 2\n") == ["A", "C"]


def test_fields_comments_and_strings_keep_their_names() -> None:
    text = ('/* step */\ntypedef struct { int step, more[2]; step *other; } s;\n'
            'static int step(s *x) { return x->step + (*x).step + step(x) + sizeof "step"; }\n')
    assert renamed(text, {"step": "a_step"}, "a_") == (
        '/* step */\ntypedef struct { int step, more[2]; a_step *other; } s;\n'
        'static int a_step(s *x) { return x->step + (*x).step + a_step(x) + sizeof "step"; }\n')


def test_names_that_a_macro_pastes_together_get_the_prefix() -> None:
    text = "#define MAKE(n) make_##n##x\n#define ROW(n) {make_1_##n}\n#define OP(n) efm_op_##n\n"
    assert renamed(text, {}, "a_") == (
        "#define MAKE(n) a_make_##n##x\n#define ROW(n) {a_make_1_##n}\n#define OP(n) efm_op_##n\n")
