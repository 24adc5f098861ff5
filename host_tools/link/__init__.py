# SPDX-License-Identifier: Apache-2.0
"""The host's end of the serial link; docs/PROTOCOL.md is the contract.

frames      bytes <-> frames and messages, no I/O
transport   where the bytes go: serial port, socket, process, memory
bulk        what of a transfer is there, on its way or lost, no I/O
session     requests that are answered, bulk data that arrives whole
fit         does a package run on a device
"""
