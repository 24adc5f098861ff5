# SPDX-License-Identifier: Apache-2.0
"""What `import edgefm` shows: open, compile, plan, a device, and tflite_runtime's interpreter."""
