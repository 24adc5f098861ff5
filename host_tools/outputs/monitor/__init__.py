# SPDX-License-Identifier: Apache-2.0
"""A recording, watched while it grows: in the browser, and as a table in the terminal.

follow   recording -> what the page and the table show, bounded however long it runs
server   the page, its stream of states, and power between any two times
table    the same in a terminal
page.*   what the browser gets
"""
