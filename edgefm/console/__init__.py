# SPDX-License-Identifier: Apache-2.0
"""A command's terminal, warnings, signals and processes, and how it ends."""
