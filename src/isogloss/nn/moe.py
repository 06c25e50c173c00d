"""Mixtures of experts: a router sends each token through a few of many small feed-forward parts."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from isogloss.errors import UsageError
from isogloss.nn.packing import Packed
from isogloss.nn.transformer import Layer, Transformer, TransformerConfig


class MixtureFeedForward(nn.Module):
    """A feed-forward part made of experts, of which each token takes the few that its router rates highest.

    The output is the chosen experts' sum, weighted by the router's probabilities among them (a single one by its
    probability among all). The router's weights of the last pass stay in ``routing (T, experts)``: what embeddings
    from mixtures of experts are made of. Shazeer et al. 2017 (https://arxiv.org/abs/1701.06538); two experts a token
    without capacity limit as in Mixtral (https://arxiv.org/abs/2401.04088).

    Parameters
    ----------
    width, inner
        Size of a state, size inside one expert.
    experts, top
        How many there are, and how many a token takes.

    Raises
    ------
    UsageError
        Where ``top`` is not between 1 and the number of experts.

    Examples
    --------
    >>> mixture = MixtureFeedForward(4, 8, experts=3, top=2)
    >>> tuple(mixture(torch.zeros(5, 4)).shape), tuple(mixture.routing.shape)
    ((5, 4), (5, 3))
    """

    def __init__(self, width: int, inner: int, *, experts: int = 4, top: int = 2) -> None:
        super().__init__()
        if not 1 <= top <= experts:
            raise UsageError(f"a token cannot take {top} of {experts} experts", "", "choose 1 up to their number")
        self.experts, self.top = experts, top
        self.router = nn.Linear(width, experts, bias=False)
        self.up = nn.ModuleList(nn.Linear(width, inner) for _ in range(experts))
        self.down = nn.ModuleList(nn.Linear(inner, width) for _ in range(experts))
        self.routing = torch.zeros(0, experts)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(T, width)``."""
        self.routing = torch.softmax(self.router(x).float(), 1)  # (T, experts)
        best = self.routing.topk(self.top, dim=1)  # (T, top)
        # a single expert keeps its probability: the router would learn nothing from a share that is always 1
        whole = best.values.sum(1, keepdim=True) if self.top > 1 else torch.ones_like(best.values)
        shares = (best.values / whole).to(x.dtype)  # (T, top)
        out = torch.zeros_like(x)
        for number in range(self.experts):
            rows, places = (best.indices == number).nonzero(as_tuple=True)  # (t,), (t,)
            seen = self.down[number](functional.gelu(self.up[number](x[rows])))  # (t, width)
            out = out.index_add(0, rows, (seen * shares[rows, places, None]).to(out.dtype))
        return out


class OverheardMixture(MixtureFeedForward):
    """A mixture that computes as another one does, and whose ``routing`` is what a second router says of its inputs.

    Parameters
    ----------
    mixture
        Whose router and experts are used; shared, not copied.
    weight
        ``(experts, width)`` of the second router.

    Examples
    --------
    >>> mixture, x = MixtureFeedForward(4, 8, experts=2), torch.randn(5, 4)
    >>> other = OverheardMixture(mixture, torch.zeros(2, 4))
    >>> torch.equal(other(x), mixture(x)), other.routing[0].tolist()
    (True, [0.5, 0.5])
    """

    def __init__(self, mixture: MixtureFeedForward, weight: Tensor) -> None:
        nn.Module.__init__(self)
        self.experts, self.top = mixture.experts, mixture.top
        self.router, self.up, self.down = mixture.router, mixture.up, mixture.down
        self.second = nn.Parameter(weight.clone(), requires_grad=False)
        self.routing = torch.zeros(0, self.experts)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(T, width)``."""
        out = super().forward(x)
        self.routing = torch.softmax(functional.linear(x, self.second).float(), 1)  # (T, experts)
        return out


class MixtureLayer(Layer):
    """A transformer layer whose feed-forward part is a mixture of experts."""

    def __init__(self, config: TransformerConfig, *, experts: int, top: int) -> None:
        super().__init__(replace(config, inner=1))  # no weights for a part that is not used
        self.config = config
        del self.up, self.down
        self.mixture = MixtureFeedForward(config.width, config.inner, experts=experts, top=top)

    def _feed(self, x: Tensor) -> Tensor:
        mixed: Tensor = self.mixture(x)  # (T, width)
        return mixed


class MixtureTransformer(Transformer):
    """A transformer with a mixture of experts in every layer.

    Parameters
    ----------
    config
        Its sizes; ``inner`` is that of one expert.
    experts, top
        As for :class:`MixtureFeedForward`.

    Examples
    --------
    >>> import numpy as np
    >>> from isogloss.nn.packing import pack
    >>> config = TransformerConfig(vocabulary=9, width=8, layers=2, heads=2, inner=16)
    >>> model = MixtureTransformer(config, experts=4, top=2)
    >>> tuple(model.routed(pack([np.array([1, 2, 3])])).shape)
    (3, 2, 4)
    """

    def __init__(self, config: TransformerConfig, *, experts: int = 4, top: int = 2) -> None:
        super().__init__(replace(config, layers=0))
        self.config = config
        self.layers = nn.ModuleList(MixtureLayer(config, experts=experts, top=top) for _ in range(config.layers))
        for module in self.layers.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    @property
    def mixtures(self) -> list[MixtureFeedForward]:
        """The mixtures of the layers, in order."""
        return [module for module in self.modules() if isinstance(module, MixtureFeedForward)]

    def routed(self, packed: Packed) -> Tensor:
        """Return the router's weights of each token, layer and expert, ``(T, layers, experts)`` float32."""
        self(packed)
        return torch.stack([mixture.routing for mixture in self.mixtures], dim=1)  # (T, layers, experts)


def load_balance(routing: Tensor, top: int) -> Tensor:
    """Return how unevenly tokens are spread over the experts: 1 where evenly, the number of experts at worst.

    Experts times the sum, over experts, of the share of choices that fell on it times its mean probability; only the
    latter has a gradient. Switch Transformers (https://arxiv.org/abs/2101.03961), section 2.2, for any ``top``.

    Parameters
    ----------
    routing
        ``(T, experts)`` probabilities.
    top
        Experts that a token takes.

    Examples
    --------
    >>> load_balance(torch.tensor([[0.9, 0.1], [0.1, 0.9]]), 1).item()
    1.0
    """
    experts = routing.shape[1]
    chosen = routing.topk(top, dim=1).indices.flatten()  # (T * top,)
    shares = torch.bincount(chosen, minlength=experts) / max(1, len(chosen))  # (experts,)
    return experts * (shares * routing.mean(0)).sum()
