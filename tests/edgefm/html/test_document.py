# SPDX-License-Identifier: Apache-2.0
"""Pages load nothing and run their own script only, and one file says so for all of them."""

import hashlib
import re
from base64 import b64encode
from html import unescape
from pathlib import Path

from edgefm.html.document import document
from edgefm.html.markup import tag


def policy(page: str) -> str:
    found = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert found is not None
    return unescape(found[1])


def test_a_page_without_a_script_may_run_none() -> None:
    page = document("a & b", tag("p", "<i>"), looks="p { color: red; }")
    assert policy(page) == "default-src 'none'; style-src 'unsafe-inline'"
    assert "<title>a &amp; b</title>" in page and "<p>&lt;i&gt;</p>" in page
    assert "p { color: red; }" in page and "<script" not in page


def test_a_page_may_run_its_own_script_and_no_other() -> None:
    page = document("a", script='if (1 < 2 && "x") alert();')
    (script,) = re.findall("<script>(.*)</script>", page)
    digest = b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy(page).endswith(f"; script-src 'sha256-{digest}'")


def test_no_other_file_makes_pages_or_policies(root: Path) -> None:
    sources = [path for room in ("edgefm", "host_tools", "benchmarks")
               for path in (root / room).rglob("*.py")]
    wrong = [str(path.relative_to(root)) for path in sources
             if re.search("default-src|<!DOCTYPE|html[.]escape", path.read_text("utf-8"))]
    assert sorted(wrong) == ["edgefm/html/document.py", "edgefm/html/markup.py"]
