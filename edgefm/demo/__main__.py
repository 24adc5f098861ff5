# SPDX-License-Identifier: Apache-2.0
"""`python -m edgefm.demo`: compile, plan, run and validate real networks; a table and a report."""

from edgefm.console import command


def _main() -> int:
    from edgefm.demo.table import main  # imported where Ctrl-C is a line already

    return main()


if __name__ == "__main__":
    command.run(_main, "edgefm.demo")
