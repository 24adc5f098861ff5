# SPDX-License-Identifier: Apache-2.0
"""`python -m host_tools.cli`, for when the command itself is not on the path."""

from host_tools.cli import main

if __name__ == "__main__":
    main()
