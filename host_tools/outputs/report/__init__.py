# SPDX-License-Identifier: Apache-2.0
"""Recordings as one HTML page.

page     the page and its chapters
charts   power over time as SVG
words    figures as a person reads them
script   what sorts tables
"""
