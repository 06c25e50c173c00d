"""Relative positions as rows of small tables: DeBERTa's disentangled attention, and T5's bias by distance.

DeBERTa (https://arxiv.org/abs/2006.03654; v3 https://arxiv.org/abs/2111.09543) adds to the product of two tokens that
of each with a vector of their distance. T5 (https://arxiv.org/abs/1910.10683) adds a number a head and distance. Both
count small distances one by one and larger ones on a logarithmic scale, up to one beyond which all are alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.errors import UnsupportedModelError

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Convolution:
    """What DeBERTa-v2's larger models add to their first layer: a convolution over the embeddings."""

    kernel: int
    groups: int
    activation: str


@dataclass(frozen=True, slots=True)
class Disentangled:
    """What DeBERTa's second and third versions have beside the sizes of an encoder.

    Attributes
    ----------
    span
        Half of the rows of the table of distances; 0 where there is none.
    buckets
        Distances are counted in so many buckets; 0: one by one, up to ``longest``.
    longest
        The distance beyond which all are alike.
    content
        Whether content looks at position (``c2p``).
    position
        Whether position looks at content (``p2c``).
    factor
        By how much the products' scale is divided: one, and one for each of the two.
    shared
        Whether distances go through the same layers as contents.
    normed
        Whether the table of distances goes through a layer norm.
    convolution
        Of the first layer, or ``None``.
    """

    span: int
    buckets: int
    longest: int
    content: bool
    position: bool
    factor: int
    shared: bool
    normed: bool
    convolution: Convolution | None

    def rows(self) -> Rows:
        """Return the table's row of each distance (query minus key) from ``-far`` to ``far``, ``(2 far + 1,)``.

        Beyond ``far`` all distances of one sign are alike.

        Examples
        --------
        >>> Disentangled(2, 0, 2, True, True, 3, True, False, None).rows().tolist()
        [0, 0, 1, 2, 3, 3, 3]
        """
        far = 2 * self.longest + self.buckets if self.buckets else self.span + 1
        distance = np.arange(-far, far + 1)
        place = _log_places(distance, self.buckets, self.longest) if self.buckets else distance
        return np.clip(place + self.span, 0, 2 * self.span - 1).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Bucketed:
    """What T5's encoders have beside the sizes of an encoder.

    Attributes
    ----------
    head_size
        Components of a head; heads times it need not be the width.
    buckets
        Rows of the table of biases.
    longest
        The distance from which on all are alike.
    gated
        Whether the feed-forward part multiplies two layers.
    each
        Whether every layer has a table of its own (UMT5), or the first one's serves all.
    """

    head_size: int
    buckets: int
    longest: int
    gated: bool
    each: bool

    def rows(self) -> Rows:
        """Return the table's row of each distance (key minus query) from ``-far`` to ``far``, ``(2 far + 1,)``.

        Half of the rows are for keys behind the query.

        Examples
        --------
        >>> Bucketed(8, 8, 4, False, False).rows().tolist()
        [3, 3, 2, 1, 0, 5, 6, 7, 7]
        """
        distance = np.arange(-self.longest, self.longest + 1)
        half = self.buckets // 2
        exact = half // 2
        size = np.abs(distance)
        # float32, as the models were trained with: its rounding decides at the borders of buckets
        ratio = np.log(np.maximum(size, 1).astype(np.float32) / np.float32(exact))
        ratio = ratio / np.float32(np.log(self.longest / exact)) * np.float32(half - exact)
        large = np.minimum(exact + ratio.astype(np.int64), half - 1)
        return np.asarray(np.where(size < exact, size, large) + np.where(distance > 0, half, 0), np.int64)


def _log_places(distance: NDArray[np.int64], buckets: int, longest: int) -> NDArray[np.int64]:
    """Return distances as they are up to half of the buckets, larger ones on a logarithmic scale."""
    middle = buckets // 2
    size = np.abs(distance)
    large = np.maximum(size, middle).astype(np.float32) / np.float32(middle)
    ratio = np.log(large) / np.log(np.float32((longest - 1) / middle))
    steps = np.ceil(ratio * np.float32(middle - 1)).astype(np.int64) + middle
    return np.asarray(np.where(size <= middle, distance, steps * np.sign(distance)), np.int64)


def read_disentangled(config: Mapping[str, Any], positions: int, activations: Mapping[str, str]) -> Disentangled:
    """Read what a ``config.json`` of DeBERTa-v2 says; ``activations`` are those that are known, by its words.

    Raises
    ------
    UnsupportedModelError
        For a convolution with an unknown activation function.
    """
    kinds = config.get("pos_att_type") or []
    kinds = [one.strip() for one in kinds.lower().split("|")] if isinstance(kinds, str) else list(kinds)
    relative = bool(config.get("relative_attention"))
    buckets = max(int(config.get("position_buckets", -1)), 0)
    longest = int(config.get("max_relative_positions", -1))
    longest = longest if longest > 0 else positions
    norms = [one.strip() for one in str(config.get("norm_rel_ebd", "none")).lower().split("|")]
    return Disentangled(
        span=(buckets or longest) if relative else 0, buckets=buckets, longest=longest,
        content=relative and "c2p" in kinds, position=relative and "p2c" in kinds,
        factor=1 + ("c2p" in kinds) + ("p2c" in kinds), shared=bool(config.get("share_att_key")),
        normed=relative and "layer_norm" in norms, convolution=_convolution(config, activations),
    )  # fmt: skip


def _convolution(config: Mapping[str, Any], activations: Mapping[str, str]) -> Convolution | None:
    kernel, named = int(config.get("conv_kernel_size") or 0), str(config.get("conv_act", "tanh"))
    if kernel <= 0:
        return None
    if named != "tanh" and named not in activations:
        raise UnsupportedModelError(
            f"the activation function {named} is not supported", "config.json names it as conv_act",
            f"known: tanh, {', '.join(sorted(activations))}",
        )  # fmt: skip
    return Convolution(kernel, int(config.get("conv_groups", 1)), activations.get(named, named))


def read_bucketed(config: Mapping[str, Any], head_size: int, gated: bool) -> Bucketed:
    """Read what a ``config.json`` of T5's kind says."""
    return Bucketed(
        head_size, int(config.get("relative_attention_num_buckets", 32)),
        int(config.get("relative_attention_max_distance", 128)), gated, config.get("model_type") == "umt5",
    )  # fmt: skip
