# SPDX-License-Identifier: Apache-2.0
"""Boards: built, flashed, started, found and listed."""
