# SPDX-License-Identifier: Apache-2.0
"""Time and MMAC/s of every layer shape of MobileNetV2 1.0 224, for each kernel of this processor.

    python benchmarks/bench_kernels.py [--runs 5] [--cc gcc]

Compiles bench_kernels.c with the operators once per kernel and prints one table. Weights are laid
out as the kernel wants them, as in a prepared model.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from dataclasses import astuple, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NATIVE = ROOT / "native" / "src"
SOURCES = (*(NATIVE / "ops" / name for name in ("conv.c", "windows.c", "depthwise.c",
                                                "convolution.c")),
           *sorted((NATIVE / "kernels").rglob("*.c")))
KERNELS = {"best": (), "portable": ("-DEFM_KERNEL_X86=0",)}
BLOCKS = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2),
          (6, 320, 1, 1))  # expansion, output channels, repeats, first stride


@dataclass(frozen=True, slots=True)
class Layer:
    """A square convolution on a square map, as bench_kernels.c reads it."""

    depthwise: bool
    size: int
    channels: int
    kernel: int
    stride: int
    out_channels: int

    @property
    def out_size(self) -> int:
        """Rows of the output (padding "same")."""
        return -(-self.size // self.stride)

    @property
    def macs(self) -> int:
        """Multiplications, those with padding included."""
        depth = self.kernel ** 2 * (1 if self.depthwise else self.channels)
        return self.out_size ** 2 * self.out_channels * depth

    def line(self) -> str:
        """The layer as a line of input."""
        depthwise, size, channels, kernel, stride, out_channels = astuple(self)
        pad = max((self.out_size - 1) * stride + kernel - size, 0) // 2
        numbers = (int(depthwise), size, size, channels, kernel, stride, pad, self.out_size,
                   self.out_size, out_channels)
        return " ".join(map(str, numbers))


def mobilenet_v2() -> list[Layer]:
    """Every convolution of the network in order."""
    layers, size, channels = [Layer(False, 224, 3, 3, 2, 32)], 112, 32
    for expansion, out_channels, repeats, first_stride in BLOCKS:
        for i in range(repeats):
            stride, wide = first_stride if i == 0 else 1, channels * expansion
            if expansion > 1:
                layers.append(Layer(False, size, channels, 1, 1, wide))
            layers.append(Layer(True, size, wide, 3, stride, wide))
            size, channels = layers[-1].out_size, out_channels
            layers.append(Layer(False, size, wide, 1, 1, channels))
    return [*layers, Layer(False, 7, 320, 1, 1, 1280), Layer(False, 1, 1280, 1, 1, 1000)]


def measure(layers: list[Layer], flags: tuple[str, ...], cc: str, runs: int) -> list[float]:
    """Nanoseconds of each layer with the kernels that `flags` leave."""
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "bench"
        include = (f"-I{NATIVE}", f"-I{ROOT / 'native' / 'include'}")
        subprocess.run([cc, "-std=c11", "-O3", *flags, *include, "-o", program,
                        Path(__file__).with_suffix(".c"), *SOURCES], check=True)
        lines = "\n".join(layer.line() for layer in layers)
        done = subprocess.run([program, str(runs)], input=lines, capture_output=True, text=True,
                              check=True)
    return [float(word) for word in done.stdout.split()]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--cc", default="cc")
    options = parser.parse_args()
    layers = mobilenet_v2()
    times = {name: measure(layers, flags, options.cc, options.runs)
             for name, flags in KERNELS.items()}
    print(f"{'layer':<32}{'MMAC':>8}"
          + "".join(f"{name + ' us':>14}{'MMAC/s':>9}" for name in times))
    for i, layer in enumerate(layers):
        kind = "depthwise" if layer.depthwise else "conv"
        shape = f"{kind} {layer.kernel}x{layer.kernel}/{layer.stride} " \
                f"{layer.size}x{layer.size}x{layer.channels}->{layer.out_channels}"
        print(f"{shape:<32}{layer.macs / 1e6:>8.2f}" + "".join(
            f"{t[i] / 1e3:>14.1f}{layer.macs * 1e3 / t[i]:>9.0f}" for t in times.values()))
    total = sum(layer.macs for layer in layers)
    print(f"{'total':<32}{total / 1e6:>8.2f}" + "".join(
        f"{sum(t) / 1e6:>11.2f} ms{total * 1e3 / sum(t):>9.0f}" for t in times.values()))


if __name__ == "__main__":
    main()
