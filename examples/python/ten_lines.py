# SPDX-License-Identifier: Apache-2.0
"""python ten_lines.py net.tflite cat.jpg: what a network takes, and what it says of a picture."""

import sys

import edgefm

model, picture = sys.argv[1:]
print(edgefm.plan(model, fast="96K"))
edgefm.compile(model, fast="96K").save("net.efm")
with edgefm.open("net.efm") as net:
    result = net.run(picture)
print(result.outputs[0].argmax(), result.counters.external_read_bytes)
