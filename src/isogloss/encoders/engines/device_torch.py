"""Packed torch on a graphics card: the same forward pass as on the processor, with everything left on the device.

Tokens lie end to end for embeddings, linear layers and norms; for attention, texts of like length are laid side by side
and torch's fused attention masks what is padding. Where each token goes is settled once a batch, so that no layer waits
for the processor; pooling happens on the device too, by products and not by atomic sums, whose order is not fixed.
The class runs on any device of torch; the tests run it on the processor. It has not been run on a card.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from isogloss.arrays import Dense
from isogloss.encoders.engines.architectures import Architecture, Weights, relative_buckets
from isogloss.encoders.engines.packed_torch import Linear, Offsets, PackedTorch, plain_linear
from isogloss.encoders.engines.precision import Precision
from isogloss.encoders.engines.weights import TensorPlace, read_headers
from isogloss.encoders.model_plan import ModelPlan
from isogloss.errors import UnsupportedModelError, UsageError

BUDGET = 32_768
"""Tokens of a batch: not tuned, as no card was at hand."""
_STEP = 16  # attention's kernels want lengths, and rows of masks, that are multiples of 8


def device_of(name: str) -> torch.device:
    """Return the device of a name: ``"cpu"``, ``"cuda"``, ``"cuda:1"``, or ``"auto"`` for a card where torch sees one.

    Raises
    ------
    UsageError
        Where there is no such device.

    Examples
    --------
    >>> device_of("cpu")
    device(type='cpu')
    """
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        return torch.device("cuda" if count else "cpu")
    kind, _, number = name.partition(":")
    if name != "cpu" and (kind != "cuda" or (":" in name and not number.isdecimal())):
        raise UsageError(f"there is no device {name!r}", "", "one of: cpu, cuda, cuda:N, auto")
    if kind == "cuda" and int(number or 0) >= count:
        raise UsageError(
            f"torch sees no graphics card {name}", f"torch {torch.__version__} sees {count} here",
            "leave the device out, or install the driver and a torch with CUDA",
        )  # fmt: skip
    return torch.device(kind if kind == "cpu" else name)


def load_on(plan: ModelPlan, precision: Precision, device: torch.device) -> DeviceTorch:
    """Load a model onto a device.

    Raises
    ------
    UnsupportedModelError
        Where the model is no post-norm encoder of the plain kind.
    """
    arch = plan.architecture
    if type(arch) is not Architecture or arch.rotary is not None:
        kind = "runs from an ONNX file" if arch is None else f"is a {arch.model_type}"
        raise UnsupportedModelError(
            "the engine torch cannot run this model on a graphics card", f"{plan.name} {kind}",
            "leave the device out, or use another engine",
        )  # fmt: skip
    return DeviceTorch(arch, Weights(read_headers(plan.transformer), arch).used(), precision, device)


@dataclass(frozen=True, slots=True)
class _Group:
    """Texts of like length, side by side.

    Attributes
    ----------
    texts
        ``(n,)`` their numbers in the batch.
    rows
        ``(n, L)`` the packed row of each place; behind a text's end, its last token's.
    inside
        ``(n, L)`` which places are tokens; ``None`` where all are.
    places, tokens
        ``(t,)`` the places that are tokens, counted over ``n * L``, and the packed row of each.
    lengths
        ``(n,)`` tokens of each text.
    """

    texts: Tensor
    rows: Tensor
    inside: Tensor | None
    places: Tensor
    tokens: Tensor
    lengths: Tensor


class DeviceTorch(PackedTorch):
    """A post-norm encoder over packed texts on a device of torch.

    Parameters
    ----------
    architecture
        Sizes and names.
    weights
        Place of each tensor, by its name without prefix.
    precision
        As for :class:`~isogloss.encoders.engines.packed_torch.PackedTorch`.
    device
        Where everything is computed.
    """

    streams = False

    def __init__(
        self, architecture: Architecture, weights: Mapping[str, TensorPlace], precision: Precision,
        device: torch.device,
    ) -> None:  # fmt: skip
        self.device = device
        super().__init__(architecture, weights, precision)
        self.budget = BUDGET
        self._words = torch.from_numpy(np.array(self._word)).to(device)
        self._places = self._places.to(device)
        self._biases: dict[int, Tensor] = {}

    def _tile_attention(self, size: int) -> Any:
        return None  # the processor's own kernel

    def _tensor(self, *names: str, kind: torch.dtype | None = None) -> Tensor:
        return super()._tensor(*names, kind=kind).to(self.device)

    def _linear(self, names: Sequence[str], activation: str = "") -> Linear:
        weight, bias = (self._tensor(*(f"{name}.{part}" for name in names)) for part in ("weight", "bias"))
        return plain_linear(weight, bias, activation)

    def _to(self, array: NDArray[Any]) -> Tensor:
        return torch.from_numpy(array).to(self.device)

    def _groups(self, offsets: Offsets) -> list[_Group]:
        """Lay out the texts of a batch by their length, rounded up."""
        lengths, found = np.diff(offsets), []
        widths = -(-lengths // _STEP) * _STEP
        for width in np.unique(widths[lengths > 0]):
            texts = np.flatnonzero(widths == width)
            own = lengths[texts]
            longest = int(own.max()) if own.min() == own.max() else int(width)
            places = np.arange(longest)
            inside = places < own[:, None]  # (n, L)
            rows = offsets[texts][:, None] + np.minimum(places, own[:, None] - 1)  # (n, L)
            found.append(
                _Group(
                    self._to(texts), self._to(rows), None if inside.all() else self._to(inside),
                    self._to(np.flatnonzero(inside)), self._to(rows[inside]), self._to(own),
                )
            )  # fmt: skip
        return found

    def _forward(self, ids: NDArray[np.int64], offsets: Offsets) -> tuple[Tensor, list[_Group]]:
        """Return the last states ``(T, d)`` of the tokens ``(T,)``, and the layout of their texts."""
        places = np.arange(len(ids)) - np.repeat(offsets[:-1], np.diff(offsets))  # (T,)
        embedded = self._words[self._to(ids)] + self._places[self._to(places)]  # (T, d)
        x, groups = self._embedding_norm(embedded).to(self._type), self._groups(offsets)
        for layer in self._layers:
            x = layer.attention_norm(layer.out(self._seen(layer.qkv(x), groups), x))  # (T, d)
            x = layer.out_norm(layer.down(layer.up(x), x))
        return x, groups

    def _seen(self, qkv: Tensor, groups: Sequence[_Group]) -> Tensor:
        """Return what attention makes of queries, keys and values ``(T, 3 d)``: ``(T, d)``."""
        width, heads = self.architecture.width, self.architecture.heads
        out = qkv.new_empty(len(qkv), width)
        for group in groups:
            n, length = group.rows.shape
            spread = qkv[group.rows.flatten()].view(n, length, 3, heads, width // heads)  # (n, L, 3, h, s)
            q, k, v = spread.permute(2, 0, 3, 1, 4)  # each (n, h, L, s)
            seen = functional.scaled_dot_product_attention(q, k, v, attn_mask=self._mask(group, length))
            rows = seen.transpose(1, 2).reshape(n * length, width)  # (n L, d)
            out[group.tokens] = rows[group.places]
        return out

    def _mask(self, group: _Group, length: int) -> Tensor | None:
        """Return which keys count ``(n, 1, 1, L)``, or what is added to the scores ``(n, h, L, L)``."""
        keys = None if group.inside is None else group.inside[:, None, None, :]  # (n, 1, 1, L)
        if self._relative is None:
            return keys
        if length not in self._biases:
            bucket = torch.from_numpy(relative_buckets(length, self.architecture.buckets))  # (L, L)
            bias = self._relative[bucket].permute(2, 0, 1)[None]  # (1, h, L, L)
            self._biases[length] = bias.to(self.device, self._type)
        bias = self._biases[length]
        return bias if keys is None else bias.masked_fill(~keys, float("-inf"))  # (n, h, L, L)

    def _packed(self, ids: Sequence[NDArray[np.int64]]) -> tuple[Dense, Offsets]:
        offsets = _offsets(ids)
        with torch.inference_mode():
            states = self._forward(np.concatenate(ids), offsets)[0].float().cpu().numpy()
        return states, offsets

    def pooled(self, ids: Sequence[NDArray[np.int64]], modes: Sequence[str], skip: int) -> Dense:
        """Return ``(n, len(modes) * d)`` float32; arguments as those of the class above."""
        width = self.architecture.width
        if not len(ids):
            return np.zeros((0, len(modes) * width), np.float32)
        with torch.inference_mode():
            states, groups = self._forward(np.concatenate(ids), _offsets(ids))
            out = torch.zeros(len(ids), len(modes) * width, device=self.device)
            for group in groups:
                own = states[group.rows.flatten()].view(*group.rows.shape, width).float()  # (n, L, d)
                found = [pool_group(own, group.lengths, mode, skip) for mode in modes]
                out[group.texts] = torch.cat(found, dim=1)  # (n, modes d)
            return np.asarray(out.cpu().numpy())


def _offsets(ids: Sequence[NDArray[np.int64]]) -> Offsets:
    return np.concatenate([[0], np.cumsum([len(one) for one in ids])]).astype(np.int64)


def pool_group(states: Tensor, lengths: Tensor, mode: str, skip: int) -> Tensor:
    """Pool padded token vectors ``(n, L, d)`` float32 into ``(n, d)``; the twin of ``pool`` on a device.

    Examples
    --------
    >>> pool_group(torch.tensor([[[1.0], [3.0], [9.0]]]), torch.tensor([2]), "mean", 0).tolist()
    [[2.0]]
    """
    number = torch.arange(len(states), device=states.device)
    if mode == "cls":
        return states[number, torch.where(lengths > skip, skip, 0)]
    if mode == "lasttoken":
        return states[number, lengths - 1]
    place = torch.arange(states.shape[1], device=states.device)
    counted = (place < lengths[:, None]) & (place >= skip)  # (n, L)
    if mode == "max":
        largest = states.masked_fill(~counted[:, :, None], float("-inf")).amax(1)  # (n, d)
        return torch.where((lengths > skip)[:, None], largest, 0.0)
    weights = counted.float() * (place + 1 if mode == "weightedmean" else 1)  # (n, L)
    total = weights.sum(1, keepdim=True)  # (n, 1)
    divisor = (total.sqrt() if mode == "mean_sqrt_len_tokens" else total).clamp_min(1e-9)
    return (weights[:, None] @ states)[:, 0] / divisor  # (n, d)
