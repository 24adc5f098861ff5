# SPDX-License-Identifier: Apache-2.0
"""What `import edgefm` offers: open, compile, plan, a device, and tflite_runtime's interpreter."""
