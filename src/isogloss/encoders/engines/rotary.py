"""What pre-norm transformers with rotary positions add to the sizes of an encoder, read from ``config.json``.

Two families share it: ModernBERT (https://arxiv.org/abs/2412.13663), which sees both sides, in most layers through a
window; and decoders as Llama (https://arxiv.org/abs/2302.13971), Mistral (https://arxiv.org/abs/2310.06825), Qwen2
(https://arxiv.org/abs/2407.10671) and Qwen3 (https://arxiv.org/abs/2505.09388), which see what came before. Rotary
positions: RoFormer (https://arxiv.org/abs/2104.09864).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.errors import ModelError, UnsupportedModelError

MODERNBERT = "modernbert"
DECODERS = frozenset({"llama", "mistral", "qwen2", "qwen3"})
SCALINGS = ("default", "linear", "llama3")


@dataclass(frozen=True, slots=True)
class Turning:
    """One kind of rotary positions: the base of its wave lengths, and how they are stretched.

    Attributes
    ----------
    theta
        Base of the wave lengths.
    kind
        One of ``SCALINGS``.
    factor, low, high, original
        Of the stretching: by how much; for ``llama3`` also its two borders and the length it was trained for.
    """

    theta: float
    kind: str = "default"
    factor: float = 1.0
    low: float = 1.0
    high: float = 4.0
    original: int = 8192

    def frequencies(self, size: int) -> NDArray[np.float32]:
        """Return the angle that each of ``size / 2`` pairs of components turns from one position to the next.

        Examples
        --------
        >>> Turning(10000.0).frequencies(4).round(4).tolist()
        [1.0, 0.009999999776482582]
        """
        plain = 1.0 / self.theta ** (np.arange(0, size, 2, dtype=np.float32) / np.float32(size))
        plain = plain.astype(np.float32)
        if self.kind == "linear":
            return np.asarray(plain / np.float32(self.factor), np.float32)
        if self.kind != "llama3":
            return np.asarray(plain, np.float32)
        waves = 2 * math.pi / plain
        share = (self.original / waves - self.low) / (self.high - self.low)
        between = (1 - share) * plain / self.factor + share * plain
        slow = np.where(waves > self.original / self.low, plain / self.factor, between)
        return np.asarray(np.where(waves < self.original / self.high, plain, slow), np.float32)


@dataclass(frozen=True, slots=True)
class Rotary:
    """What a pre-norm transformer with rotary positions has beside its sizes.

    Attributes
    ----------
    key_heads
        Heads of keys and values; each serves as many heads of queries (https://arxiv.org/abs/2305.13245).
    head_size
        Components of a head.
    turnings
        Rotary positions of each layer.
    windows
        How far each layer sees: 0 for everything; N for N tokens to both sides, or, where ``causal``, for the token
        itself and the N - 1 before it.
    causal
        Whether a token sees only what came before it.
    joined
        Whether one matrix holds queries, keys and values, and one both halves of the gated layer.
    centred
        Whether norms subtract the mean (layer norm), or not (root mean square norm).
    head_norms
        Whether queries and keys are normed head by head.
    biases
        Which of ``"attention"``, ``"out"``, ``"inner"`` and ``"norm"`` have biases.
    """

    key_heads: int
    head_size: int
    turnings: tuple[Turning, ...]
    windows: tuple[int, ...]
    causal: bool
    joined: bool
    centred: bool
    head_norms: bool
    biases: frozenset[str]


def read_rotary(config: Mapping[str, Any], layers: int, width: int, heads: int) -> Rotary:
    """Read what ``config.json`` says, in the words of transformers 4 or 5.

    Raises
    ------
    UnsupportedModelError
        For positions that are stretched in a way that is not known.
    ModelError
        Where key heads do not divide the heads, or kinds of layers are not counted right.
    """
    modern = config["model_type"] == MODERNBERT
    size = int(config.get("head_dim") or width // heads)
    key_heads = heads if modern else int(config.get("num_key_value_heads") or heads)
    if heads % key_heads:
        raise ModelError(
            "config.json contradicts itself", f"{key_heads} key heads do not divide {heads} heads",
            "fetch the model again",
        )  # fmt: skip
    local = _local_layers(config, layers)
    window = int(config.get("local_attention", 128)) // 2 if modern else int(config.get("sliding_window") or 0)
    turnings = tuple(_turning(config, modern, bool(one)) for one in local)
    both = config.get("is_causal") is False or bool(config.get("use_bidirectional_attention"))
    return Rotary(
        key_heads=key_heads, head_size=size, turnings=turnings,
        windows=tuple(window if one else 0 for one in local), causal=not (modern or both), joined=modern,
        centred=modern, head_norms=config["model_type"] == "qwen3", biases=_biases(config),
    )  # fmt: skip


def _local_layers(config: Mapping[str, Any], layers: int) -> list[bool]:
    """Say of each layer whether it sees through a window."""
    kind, kinds = config["model_type"], config.get("layer_types")
    if kinds:
        if len(kinds) != layers:
            raise ModelError(
                "config.json contradicts itself", f"{len(kinds)} kinds of layers for {layers} layers",
                "fetch the model again",
            )  # fmt: skip
        return [name == "sliding_attention" for name in kinds]
    if kind == MODERNBERT:
        every = int(config.get("global_attn_every_n_layers", 3))
        return [bool(i % every) for i in range(layers)]
    if kind == "mistral":
        return [bool(config.get("sliding_window"))] * layers
    first = int(config.get("max_window_layers", layers)) if config.get("use_sliding_window") else layers
    return [i >= first for i in range(layers)]


def _turning(config: Mapping[str, Any], modern: bool, local: bool) -> Turning:
    said = dict(config.get("rope_parameters") or {})
    if modern:
        base = config.get("local_rope_theta", 10_000.0) if local else config.get("global_rope_theta", 160_000.0)
        said = dict(said.get("sliding_attention" if local else "full_attention") or {})
    else:
        base = config.get("rope_theta", 10_000.0)
    said = dict(config.get("rope_scaling") or {}) | said
    kind = str(said.get("rope_type", said.get("type", "default")))
    if kind not in SCALINGS:
        raise UnsupportedModelError(
            f"rotary positions stretched by {kind} are not supported", "config.json names it",
            f"known: {', '.join(SCALINGS)}; or use a folder that has an ONNX file under onnx/",
        )  # fmt: skip
    return Turning(
        float(said.get("rope_theta", base)), kind, float(said.get("factor", 1.0)),
        float(said.get("low_freq_factor", 1.0)), float(said.get("high_freq_factor", 4.0)),
        int(said.get("original_max_position_embeddings", 8192)),
    )  # fmt: skip


def _biases(config: Mapping[str, Any]) -> frozenset[str]:
    kind = config["model_type"]
    if kind == "qwen2":
        return frozenset({"attention"})
    has = {"inner": bool(config.get("mlp_bias")), "norm": kind == MODERNBERT and bool(config.get("norm_bias"))}
    has["attention"] = has["out"] = bool(config.get("attention_bias")) and kind != "mistral"
    return frozenset(name for name, there in has.items() if there)
