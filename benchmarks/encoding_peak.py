"""How much of this machine's peak MiniLM's encoding reaches, and what the rest of its time goes into; one thread.

In one process, in turn: the products of MiniLM's four shapes of matrices alone (torch, a batch of our packed engine's
size, float32 and bfloat16 with weights stored as oneDNN likes them), and the encoding of real passages by packed torch
and ONNX Runtime. The share of the peak is the time that the passages' linear layers would take at the speed of the
products alone, to the processor time that encoding took. The parts of packed torch's time are measured by clocks around
its functions: linear layers (with activation, bias and residual sum), attention, layer norms, embeddings, pooling, and
tokens; what is left over is batching and copies. Processor time of this thread throughout.

    python benchmarks/encoding_peak.py --out benchmarks/results/encoding_peak.json     # 30 seconds on a quiet machine

``--isa avx2`` limits torch to AVX2 by its own switches; ONNX Runtime knows none, and its row is left out.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

SHAPES = {"query, key, value": (384, 1152), "attention's output": (384, 384), "up": (384, 1536), "down": (1536, 384)}
LAYERS = 6
CLOCK = time.thread_time
KERNELS = {"float32": "fp32", "bfloat16": "bf16"}


def kinds() -> list[str]:
    """Return the types that this processor's products know; bfloat16 needs AVX-512."""
    import torch

    return [kind for kind in KERNELS if kind == "float32" or torch.ops.mkldnn._is_mkldnn_bf16_supported()]


def products(kind: str, tokens: int, seconds: float) -> dict[str, float]:
    """Return the billions of operations a second of each shape's product alone, best of a few tries."""
    import torch

    dtype, found = getattr(torch, kind), {}
    for name, (inputs, outputs) in SHAPES.items():
        x = torch.randn(tokens, inputs).to(dtype)  # (T, inputs)
        weight, bias = torch.randn(outputs, inputs).to(dtype), torch.zeros(outputs, dtype=dtype)
        stored = torch.ops.mkldnn._reorder_linear_weight(weight, tokens)
        run = torch.ops.mkldnn._linear_pointwise.default
        best, end = float("inf"), CLOCK() + seconds / len(SHAPES)
        while CLOCK() < end:
            start = CLOCK()
            for _ in range(4):
                run(x, stored, bias, "none", [], "")
            best = min(best, (CLOCK() - start) / 4)
        found[name] = 2 * tokens * inputs * outputs / best / 1e9
    return found


def seconds_a_token(speeds: dict[str, float]) -> float:
    """Return the seconds that one token's linear layers take at these speeds."""
    return LAYERS * sum(2 * rows * columns / 1e9 / speeds[name] for name, (rows, columns) in SHAPES.items())


def timed(clocks: dict[str, float], name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function with a clock around it."""

    def run(*arguments: Any, **options: Any) -> Any:
        start = CLOCK()
        found = function(*arguments, **options)
        clocks[name] += CLOCK() - start
        return found

    return run


def watch(engine: Any, clocks: dict[str, float]) -> None:
    """Put clocks around the parts of a packed engine."""
    engine._layers = [
        dataclasses.replace(
            layer,
            **{name: timed(clocks, "linear layers", getattr(layer, name)) for name in ("qkv", "out", "up", "down")},
            **{name: timed(clocks, "layer norms", getattr(layer, name)) for name in ("attention_norm", "out_norm")},
        )
        for layer in engine._layers
    ]
    engine._attend = timed(clocks, "attention", engine._attend)
    engine._states = timed(clocks, "_states", engine._states)
    engine.pooled = timed(clocks, "_pooled", engine.pooled)


def parts_of(clocks: dict[str, float], total: float) -> dict[str, float]:
    """Return the share of each part in the whole time."""
    inner = {name: clocks[name] for name in ("linear layers", "attention", "layer norms")}
    parts = {
        **inner,
        "embeddings and their norm": clocks["_states"] - sum(inner.values()),
        "pooling": clocks["_pooled"] - clocks["_states"],
        "tokens": clocks["tokens"],
    }
    parts["batching and copies"] = total - sum(parts.values())
    return {name: round(seconds / total, 4) for name, seconds in parts.items()}


def contestants(isa: str) -> dict[str, tuple[Any, dict[str, float]]]:
    """Return an encoder and its clocks by the name of its engine."""
    from isogloss.encoders.engine_encoder import EngineEncoder
    from isogloss.encoders.names import load_encoder

    found: dict[str, tuple[Any, dict[str, float]]] = {}
    pairs = [("torch", KERNELS[kind]) for kind in kinds()] + [("onnx", "fp32")] * (isa == "native")
    for engine, precision in pairs:
        encoder: Any = load_encoder("minilm", threads=1, engine="onnx", precision="fp32")
        clocks: dict[str, float] = defaultdict(float)
        if engine == "torch":
            encoder = EngineEncoder.settled(encoder, engine, precision)
            watch(encoder.engine, clocks)
            encoder.tokenizer = Watched(encoder.tokenizer, clocks)
        found[f"{engine} {precision}"] = encoder, clocks
    return found


@dataclasses.dataclass
class Watched:
    """A tokenizer with a clock around it."""

    inner: Any
    clocks: dict[str, float]

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return timed(self.clocks, "tokens", self.inner)(*arguments, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


def measure(n: int, rounds: int, isa: str) -> dict[str, Any]:
    """Measure everything in turn and return it as plain data."""
    import torch

    import passages as source

    torch.set_num_threads(1)
    texts = [row["text"] for row in source.passages(n)]
    encoders = contestants(isa)
    tokens = int(sum(len(one) for one in next(iter(encoders.values()))[0].tokenizer(texts).ids))
    for encoder, _ in encoders.values():
        encoder.encode(texts[:16], report=_report())
    times: dict[str, list[float]] = defaultdict(list)
    shares: dict[str, list[dict[str, float]]] = defaultdict(list)
    peaks: dict[str, list[dict[str, float]]] = defaultdict(list)
    for _ in range(rounds):
        for kind in kinds():
            peaks[kind].append(products(kind, 2048, 1.0))
        for name, (encoder, clocks) in encoders.items():
            clocks.clear()
            start = CLOCK()
            encoder.encode(texts, report=_report())
            times[name].append(CLOCK() - start)
            if clocks:
                shares[name].append(parts_of(clocks, times[name][-1]))
    best = {kind: {name: max(one[name] for one in found) for name in SHAPES} for kind, found in peaks.items()}
    rows = {}
    for name, seconds in times.items():
        kind = next(kind for kind, short in KERNELS.items() if name.endswith(short))
        ideal = tokens * seconds_a_token(best[kind])
        rows[name] = {
            "passages_per_cpu_s": round(n / statistics.median(seconds), 1),
            "best_passages_per_cpu_s": round(n / min(seconds), 1),
            "at_peak_per_cpu_s": round(n / ideal, 1),
            "share_of_peak": round(ideal / statistics.median(seconds), 4),
            "best_share_of_peak": round(ideal / min(seconds), 4),
            "parts": _medians(shares[name]),
        }  # fmt: skip
    return {
        "isa": isa, "capability": torch.backends.cpu.get_cpu_capability(), "torch": torch.__version__,
        "passages": n, "tokens": tokens, "rounds": rounds,
        "gflops": {KERNELS[kind]: {name: round(one) for name, one in found.items()} for kind, found in best.items()},
        "engines": rows,
    }  # fmt: skip


def _medians(found: list[dict[str, float]]) -> dict[str, float]:
    return {name: statistics.median(one[name] for one in found) for name in (found[0] if found else ())}


def _report() -> Any:
    from isogloss.protocols import EncodeReport

    return EncodeReport()


def main() -> None:
    """Read the options, limit the processor before torch is loaded, measure, print, write."""
    parser = argparse.ArgumentParser(description="Share of the peak that MiniLM's encoding reaches.")
    parser.add_argument("--n", type=int, default=150)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--isa", choices=("native", "avx2"), default="native")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # this thread's clock sees no other thread
    if options.isa == "avx2":
        os.environ.update(ONEDNN_MAX_CPU_ISA="AVX2", ATEN_CPU_CAPABILITY="avx2")
    found = measure(options.n, options.rounds, options.isa)
    text = json.dumps(found, indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()
