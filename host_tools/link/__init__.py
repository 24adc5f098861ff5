# SPDX-License-Identifier: Apache-2.0
"""The host's end of the serial link; docs/PROTOCOL.md is the contract.

frames      bytes <-> frames and messages, no I/O
transport   where the bytes go: serial port, socket, process, memory
session     requests that are answered, bulk data that arrives whole
"""
