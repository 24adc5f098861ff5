# SPDX-License-Identifier: Apache-2.0
"""A browser for the tests of pages."""

from collections.abc import Callable, Iterator

import pytest
from browser import Browser, find_browser


@pytest.fixture(scope="module")
def browser(request: pytest.FixtureRequest) -> Iterator[Browser]:
    need: Callable[[str], str] = request.getfixturevalue("need")
    need("chromium")
    program = find_browser()
    assert program
    with Browser(program) as found:
        yield found
        assert found.errors == []
