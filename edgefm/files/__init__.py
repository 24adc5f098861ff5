# SPDX-License-Identifier: Apache-2.0
"""Reads files from outside within named limits; checks output files first, writes them whole."""
