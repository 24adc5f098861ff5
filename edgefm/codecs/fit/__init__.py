# SPDX-License-Identifier: Apache-2.0
"""Codec tables learned from calibration maps."""
