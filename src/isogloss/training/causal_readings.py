"""From one pass of a causal language model to one vector a text: its tokens' states, its routers, or both summed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor
from torch.nn import functional

from isogloss.errors import UsageError
from isogloss.nn.packing import Packed
from isogloss.nn.pooling import PoolingMode, pool
from isogloss.seeding import generator
from isogloss.training.causal_models import CausalModel, Passed, Wanted

Pooling = Literal["last", "mean", "weighted"]
_MODES: dict[str, PoolingMode] = {"last": "lasttoken", "mean": "mean", "weighted": "weightedmean"}


class CausalReading(Protocol):
    """How vectors are read; frozen, so that its ``repr`` tells it apart."""

    @property
    def wanted(self) -> Wanted:
        """What a pass must give."""
        ...

    def size(self, model: CausalModel) -> int:
        """Return how many components a vector of this model has."""
        ...

    def __call__(self, passed: Passed, packed: Packed) -> Tensor:
        """Return ``(n, size)``; ``packed.types`` are 1 at the text's own tokens (of its last copy)."""
        ...


def pooled(values: Tensor, packed: Packed, pooling: Pooling) -> Tensor:
    """Pool the tokens of each text that are read.

    Parameters
    ----------
    values
        ``(T, d)``.
    packed
        The tokens; ``types`` are 1 at those of the text itself.
    pooling
        ``last``: the last token, whatever it is. ``mean``: the text's own tokens. ``weighted``: their mean with
        weights 1, 2, 3 ..., because later tokens have seen more (SGPT, https://arxiv.org/abs/2202.08904). A text
        without tokens is read at its last one.

    Returns
    -------
    Tensor
        ``(n, d)`` float32.

    Examples
    --------
    >>> packed = Packed(torch.tensor([0, 5, 6]), torch.tensor([0, 3]), torch.tensor([0, 1, 1]))
    >>> [pooled(torch.tensor([[9.0], [3.0], [6.0]]), packed, one).item() for one in ("last", "mean", "weighted")]
    [6.0, 4.5, 5.0]
    """
    if pooling == "last":
        return pool(values, packed, ["lasttoken"])  # (n, d)
    if packed.types is None:
        raise UsageError("nothing says which tokens are the text's own", "packed.types is None", "")
    kept = packed.types.bool()  # (T,)
    counts = torch.zeros(len(packed), dtype=torch.int64).index_add(0, packed.texts(), packed.types)  # (n,)
    kept[packed.offsets[1:][counts == 0] - 1] = True
    offsets = functional.pad(counts.clamp_min(1).cumsum(0), (1, 0))  # (n + 1,)
    return pool(values[kept], Packed(packed.ids[kept], offsets), [_MODES[pooling]])  # (n, d)


@dataclass(frozen=True, slots=True)
class StateReading:
    """The states of one layer.

    Attributes
    ----------
    pooling
        ``last``, ``mean`` or ``weighted``; see :func:`pooled`.
    layer
        0 the embeddings, N layer N, -1 the last one.

    Raises
    ------
    UsageError
        Where no pooling has this name.
    """

    pooling: Pooling = "last"
    layer: int = -1

    def __post_init__(self) -> None:
        if self.pooling not in _MODES:
            raise UsageError(f"no pooling is called {self.pooling!r}", f"there are {', '.join(_MODES)}")

    @property
    def wanted(self) -> Wanted:
        """The states of the layer."""
        return Wanted(layers=(self.layer,))

    def size(self, model: CausalModel) -> int:
        """Return the model's width."""
        return model.width

    def __call__(self, passed: Passed, packed: Packed) -> Tensor:
        """Return ``(n, width)``."""
        return pooled(passed.states[self.layer], packed, self.pooling)


@dataclass(frozen=True, slots=True)
class ChanceWeights:
    """The mean of a text's states with the weights 1, 2, 3 ... in an order of chance: a placebo of weights by position.

    The order depends on the seed and on the text's tokens alone.

    Attributes
    ----------
    seed
        Of the order.
    layer
        Whose states.
    """

    seed: int = 0
    layer: int = -1

    @property
    def wanted(self) -> Wanted:
        """The states of the layer."""
        return Wanted(layers=(self.layer,))

    def size(self, model: CausalModel) -> int:
        """Return the model's width."""
        return model.width

    def __call__(self, passed: Passed, packed: Packed) -> Tensor:
        """Return ``(n, width)``."""
        states, types = passed.states[self.layer], packed.types
        if types is None:
            raise UsageError("nothing says which tokens are the text's own", "packed.types is None", "")
        rows = []
        for text in range(len(packed)):
            places = torch.arange(int(packed.offsets[text]), int(packed.offsets[text + 1]))  # (t,)
            own = places[types[places].bool()]  # (k,)
            own = own if len(own) else places[-1:]
            order = generator(self.seed, "weights", *packed.ids[own].tolist()).permutation(len(own))
            weights = torch.from_numpy(order + 1.0).to(states.dtype)  # (k,)
            rows.append(weights @ states[own] / weights.sum())
        return torch.stack(rows).float()  # (n, width)


@dataclass(frozen=True, slots=True)
class RoutingReading:
    """The routers' probabilities of all layers side by side, before any expert is left out.

    Li and Zhou 2024, "Your Mixture-of-Experts LLM Is Secretly an Embedding Model For Free"
    (https://arxiv.org/abs/2410.10814).

    Attributes
    ----------
    pooling
        As of states; the paper reads the last token.
    """

    pooling: Pooling = "last"

    @property
    def wanted(self) -> Wanted:
        """The routing."""
        return Wanted(routing=True)

    def size(self, model: CausalModel) -> int:
        """Return routed layers times experts."""
        return math.prod(model.experts)

    def __call__(self, passed: Passed, packed: Packed) -> Tensor:
        """Return ``(n, layers * experts)``."""
        assert passed.routing is not None
        return pooled(passed.routing.flatten(1), packed, self.pooling)


@dataclass(frozen=True, slots=True)
class SummedReading:
    """Two readings in one vector whose cosines are the weighted mean of theirs: the paper's sum of similarities.

    Both are scaled to length one, the second is weighted by the root of ``weight``, and they stand side by side: the
    cosine of two such vectors is ``(cos of first + weight * cos of second) / (1 + weight)``. With ``scaled`` false they
    stand side by side as they are: the paper's concatenation.

    Attributes
    ----------
    first, second
        Of the same pass.
    weight
        Of the second one's similarity.
    scaled
        See above.
    """

    first: CausalReading = StateReading()
    second: CausalReading = RoutingReading()
    weight: float = 1.0
    scaled: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.weight < math.inf:
            raise UsageError("a similarity is weighted by 0 or more", f"{self.weight} is given")

    @property
    def wanted(self) -> Wanted:
        """What both want."""
        return self.first.wanted | self.second.wanted

    def size(self, model: CausalModel) -> int:
        """Return both sizes together."""
        return self.first.size(model) + self.second.size(model)

    def __call__(self, passed: Passed, packed: Packed) -> Tensor:
        """Return ``(n, both sizes)``."""
        parts = [one(passed, packed) for one in (self.first, self.second)]
        if self.scaled:
            parts = [functional.normalize(part, dim=1) for part in parts]
        return torch.cat([parts[0], math.sqrt(self.weight) * parts[1]], dim=1)  # (n, both)
