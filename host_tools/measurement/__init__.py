# SPDX-License-Identifier: Apache-2.0
"""A device's events and a meter's samples become runs with energy per stage."""
