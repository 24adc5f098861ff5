# SPDX-License-Identifier: Apache-2.0
"""Packages on a device that runs MicroPython: what edgefm adds to mpremote."""
