# SPDX-License-Identifier: Apache-2.0
"""The demo: bundled networks, the digits they read, and a table of what becomes of them."""
