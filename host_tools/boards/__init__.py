# SPDX-License-Identifier: Apache-2.0
"""Builds, flashes, starts, finds and lists boards."""
