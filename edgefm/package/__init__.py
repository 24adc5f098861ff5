# SPDX-License-Identifier: Apache-2.0
"""The .efm file: records, writing, reading, outline, traffic of its maps, and checks of inputs."""
