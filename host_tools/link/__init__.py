# SPDX-License-Identifier: Apache-2.0
"""The host's end of the serial link; docs/PROTOCOL.md is the contract.

frames      bytes <-> frames and messages, no I/O
transport   where the bytes go: serial port, socket, process, memory
bulk        the chunks of a transfer that arrived, are on their way, or were lost, no I/O
capability  a device's description of itself
events      the events that a running device sends
foreign     recognizes other firmware by its answers
requests    requests that are carried out once
session     the same, and bulk data that arrives complete
answers     a device's answers about its store, typed and checked, no I/O
runs        the same about a run, no I/O
store       files of a device, and its description
device      the same, and its runs and its profiler
fit         checks whether a package runs on a device
"""
