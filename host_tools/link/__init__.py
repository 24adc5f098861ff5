# SPDX-License-Identifier: Apache-2.0
"""The host's end of the serial link; docs/PROTOCOL.md is the contract.

frames      bytes <-> frames and messages, no I/O
transport   where the bytes go: serial port, socket, process, memory
bulk        what of a transfer is there, on its way or lost, no I/O
capability  what a device says it is and can do
events      what a running device says unasked
foreign     firmware that is not edgefm's, by its answers
requests    requests that are carried out once
session     the same, and bulk data that arrives whole
answers     what a device answers about its store, typed and checked, no I/O
runs        the same about a run, no I/O
store       files of a device, and what it is
device      the same, and its runs and its profiler
fit         does a package run on a device
"""
