"""Networks that carry vectors from one space into another and back, and those that tell true vectors from made ones."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

Side = Literal[0, 1]


class Residual(nn.Module):
    """``x + MLP(norm(x))``, nothing but ``x`` at first.

    Parameters
    ----------
    width, inner
        Numbers of a vector, and inside.

    Examples
    --------
    >>> x = torch.ones(2, 3)
    >>> torch.equal(Residual(3, 4)(x), x)
    True
    """

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.up, self.down = nn.Linear(width, inner), nn.Linear(inner, width)
        nn.init.zeros_(self.down.weight)
        nn.init.zeros_(self.down.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(n, width)``."""
        return x + self.down(nn.functional.silu(self.up(self.norm(x))))


class Translator(nn.Module):
    """Two spaces with one shared latent space: adapters in, a backbone, adapters out.

    Source: Jha et al. 2025, "Harnessing the Universal Geometry of Embeddings" (https://arxiv.org/abs/2505.12540).

    Parameters
    ----------
    widths
        Numbers of a vector in each space.
    latent
        Width of the shared space.
    inner
        Width inside the residual blocks.
    depth
        Residual blocks of the backbone; each adapter has one.
    start
        What the linear parts of the adapters are at first: ``orthogonal`` (random), or ``identity``, cut to the widths:
        where both spaces stand on their principal axes, each axis begins on the other's of the same rank.

    Examples
    --------
    >>> translator = Translator((3, 5), latent=8, inner=16)
    >>> x = torch.ones(2, 3)
    >>> tuple(translator.translate(x, 0).shape), tuple(translator.rebuild(x, 0).shape)
    ((2, 5), (2, 3))
    """

    def __init__(
        self, widths: tuple[int, int], *, latent: int = 64, inner: int = 128, depth: int = 1,
        start: Literal["orthogonal", "identity"] = "orthogonal",
    ) -> None:  # fmt: skip
        super().__init__()
        self.adapt_in = nn.ModuleList(
            nn.Sequential(nn.Linear(width, latent, bias=False), Residual(latent, inner)) for width in widths
        )
        self.backbone = nn.Sequential(*(Residual(latent, inner) for _ in range(depth)))
        self.adapt_out = nn.ModuleList(
            nn.Sequential(Residual(latent, inner), nn.Linear(latent, width, bias=False)) for width in widths
        )
        for one in (*self.adapt_in, *self.adapt_out):
            linear = next(part for part in one if isinstance(part, nn.Linear))
            (nn.init.eye_ if start == "identity" else nn.init.orthogonal_)(linear.weight)

    def latent(self, x: Tensor, side: Side) -> Tensor:
        """Return vectors ``(n, widths[side])`` in the shared space, ``(n, latent)``."""
        return self.backbone(self.adapt_in[side](x))

    def translate(self, x: Tensor, side: Side) -> Tensor:
        """Return vectors of ``side`` in the other space, ``(n, widths[1 - side])``."""
        return self.adapt_out[1 - side](self.latent(x, side))

    def rebuild(self, x: Tensor, side: Side) -> Tensor:
        """Return vectors of ``side`` after the way through the shared space and back, ``(n, widths[side])``."""
        return self.adapt_out[side](self.latent(x, side))


class Critic(nn.Module):
    """Raw scores of vectors, high for true ones: three layers.

    Parameters
    ----------
    width, inner
        Numbers of a vector, and inside.

    Examples
    --------
    >>> tuple(Critic(3, 4)(torch.ones(2, 3)).shape)
    (2,)
    """

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(width, inner), nn.LeakyReLU(0.2), nn.Linear(inner, inner), nn.LeakyReLU(0.2), nn.Linear(inner, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(n,)``."""
        return self.layers(x)[:, 0]


class Critics(nn.Module):
    """One critic for each space and one that tells in the shared space which side a vector came from.

    Parameters
    ----------
    widths, latent, inner
        As of the :class:`Translator`.

    Examples
    --------
    >>> len(list(Critics((3, 5), latent=8, inner=4).children()))
    2
    """

    def __init__(self, widths: tuple[int, int], *, latent: int = 64, inner: int = 128) -> None:
        super().__init__()
        self.spaces = nn.ModuleList(Critic(width, inner) for width in widths)
        self.shared = Critic(latent, inner)

    def fooled(self, translator: Translator, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the scores that a translator wants high: both translations, and each side where the other is true."""
        shared = self.shared(translator.latent(first, 0)) - self.shared(translator.latent(second, 1))  # (n,)
        made = self.spaces[1](translator.translate(first, 0)), self.spaces[0](translator.translate(second, 1))
        return (*made, shared)

    def told(self, translator: Translator, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """Return raw scores ``(3 n,)`` of true and of made vectors; no gradient goes to the translator."""
        with torch.no_grad():
            made = translator.translate(second, 1), translator.translate(first, 0)
            sides = translator.latent(first, 0), translator.latent(second, 1)
        true = self.spaces[0](first), self.spaces[1](second), self.shared(sides[1])
        false = self.spaces[0](made[0]), self.spaces[1](made[1]), self.shared(sides[0])
        return torch.cat(true), torch.cat(false)  # (3 n,) each
