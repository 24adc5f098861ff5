# SPDX-License-Identifier: Apache-2.0
"""Checks a compiled network: its bits, its accuracy and its cost."""
