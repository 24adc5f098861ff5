# SPDX-License-Identifier: Apache-2.0
"""What a network is: the user's graph, its rewrites, and the program that the runtime executes."""
