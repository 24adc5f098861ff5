# SPDX-License-Identifier: Apache-2.0
"""A page that stands alone: one file, which loads nothing and runs only its own script."""

from __future__ import annotations

import base64
import hashlib

from edgefm.html.markup import Child, Markup, tag
from edgefm.html.style import STYLE

# what a browser may do for a page that a server on this machine gives: load the server's files
SERVED_POLICY = ("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
                 "img-src data:")
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def document(title: str, *body: Child, looks: str = "", script: str = "") -> str:
    """The page as text; `looks` are further style rules. Well-formed as XML but for a script."""
    head = tag("head", tag("meta", charset="utf-8"),
               tag("meta", http_equiv="Content-Security-Policy", content=_policy(script)),
               tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
               tag("title", title), tag("style", Markup(STYLE + looks)))
    parts = (*body, tag("script", Markup(script)) if script else None)
    return f"<!DOCTYPE html>\n{tag('html', head, tag('body', *parts), lang='en')}\n"


def _policy(script: str) -> str:
    """What a browser may do for the page: load nothing, and run no script but this one."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"{_POLICY}; script-src 'sha256-{digest}'" if script else _POLICY
