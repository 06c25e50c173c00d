"""Sub-models of one encoder: a layer's states, pooled and cut to the first numbers, all from one pass."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from isogloss.arrays import Dense
from isogloss.encoders.layers import LayerEncoder, LayerPools
from isogloss.errors import UsageError


class SubModelEncoder(LayerEncoder):
    """The first numbers of a layer's mean state: what is left of a model whose upper layers were cut away.

    Source: Li et al. 2024, "2D Matryoshka Sentence Embeddings" (https://arxiv.org/abs/2402.14776).

    Parameters
    ----------
    base
        An encoder with ``states``, or :class:`~isogloss.encoders.layers.LayerPools`, which several can share.
    layer, width
        How deep, and how many first numbers.

    Raises
    ------
    UsageError
        Where a vector does not have so many numbers.

    Examples
    --------
    With a model on the machine (``isogloss pull minilm``)::

        SubModelEncoder(load_encoder("minilm"), layer=3, width=64).encode(["a small dog"])  # (1, 64)
    """

    def __init__(self, base: Any, *, layer: int, width: int) -> None:
        super().__init__(base, layers=(layer,))
        self.width = width
        self.name = f"{self.name}:{width}"

    def _settings(self) -> list[Any]:
        return [*super()._settings(), self.width]

    def _vectors(self, texts: list[str]) -> Dense:
        whole = super()._vectors(texts)
        if not 1 <= self.width <= whole.shape[1]:
            raise UsageError(f"a width of {self.width} was asked for", f"the vectors have {whole.shape[1]} numbers")
        return whole[:, : self.width]


def sub_models(base: Any, rungs: Iterable[tuple[int, int]]) -> dict[tuple[int, int], SubModelEncoder]:
    """Return the encoders of several rungs (layer, width), which share one pass over each text.

    Examples
    --------
    With a model on the machine (``isogloss pull minilm``)::

        sub_models(load_encoder("minilm"), [(2, 64), (4, 128)])[2, 64].encode(["a small dog"])  # (1, 64)
    """
    wanted = list(rungs)
    pools = LayerPools(base, layers=sorted({layer for layer, _ in wanted}), poolings=("mean",))
    return {(layer, width): SubModelEncoder(pools, layer=layer, width=width) for layer, width in wanted}
