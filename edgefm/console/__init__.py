# SPDX-License-Identifier: Apache-2.0
"""A command and the terminal: text, warnings, signals, processes, and how it ends."""
