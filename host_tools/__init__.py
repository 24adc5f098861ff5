# SPDX-License-Identifier: Apache-2.0
"""Tools on the PC that talk to devices and instruments."""
