# SPDX-License-Identifier: Apache-2.0
"""The host's end of the serial link; docs/PROTOCOL.md is the contract.

frames      bytes <-> frames and messages, no I/O
transport   where the bytes go: serial port, socket, process, memory
bulk        what of a transfer is there, on its way or lost, no I/O
capability  what a device says it is and can do
events      what a running device says unasked
requests    requests that are carried out once
session     the same, and bulk data that arrives whole
answers     what a device answers, typed and checked, no I/O
device      store, runs and profiler of a device, typed
fit         does a package run on a device
"""
