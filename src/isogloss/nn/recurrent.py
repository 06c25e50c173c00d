"""Recurrent layers over packed tokens: LSTM and GRU, one way, both ways, or two ways that never meet."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from isogloss.errors import UsageError
from isogloss.nn.packing import Packed
from isogloss.nn.transformer import Layout

Cell = Literal["lstm", "gru"]
Ways = Literal["forward", "both", "apart"]
_CELLS: dict[str, type[nn.LSTM] | type[nn.GRU]] = {"lstm": nn.LSTM, "gru": nn.GRU}


class RecurrentLayers(nn.Module):
    """A stack of recurrent layers.

    ``forward``: a state has seen its token and those before it. ``both``: every layer reads both ways, half of the
    width each, and the next one sees both. ``apart``: two stacks, one a way, joined at the end only, so that each half
    of a state can be asked for the neighbour that it has not seen (ELMo, https://arxiv.org/abs/1802.05365).

    Parameters
    ----------
    width, layers
        Size of input and states, number of layers.
    cell
        LSTM (https://doi.org/10.1162/neco.1997.9.8.1735) or GRU (https://arxiv.org/abs/1406.1078).
    ways
        As above.
    dropout
        Between the layers, in training.

    Raises
    ------
    UsageError
        Where the width cannot be halved.

    Examples
    --------
    >>> import numpy as np
    >>> from isogloss.nn.packing import pack
    >>> packed = pack([np.array([1, 2, 3]), np.array([4])])
    >>> tuple(RecurrentLayers(6, ways="both")(torch.zeros(4, 6), packed).shape)
    (4, 6)
    """

    def __init__(
        self, width: int, *, layers: int = 1, cell: Cell = "lstm", ways: Ways = "forward", dropout: float = 0.0
    ) -> None:
        super().__init__()
        if ways != "forward" and width % 2:
            raise UsageError(f"a width of {width} cannot be shared by two ways", "", "choose an even width")
        self.width, self.ways = width, ways
        hidden = width if ways == "forward" else width // 2
        kind, between = _CELLS[cell], dropout if layers > 1 else 0.0
        self.ahead = kind(width, hidden, layers, batch_first=True, bidirectional=ways == "both", dropout=between)
        self.back = kind(width, hidden, layers, batch_first=True, dropout=between) if ways == "apart" else None

    def forward(self, x: Tensor, packed: Packed) -> Tensor:
        """Return states ``(T, width)`` for inputs ``(T, width)``.

        Raises
        ------
        UsageError
            Where a text has no token.
        """
        if bool((packed.lengths == 0).any()):
            empty = int((packed.lengths == 0).sum())
            raise UsageError("a recurrent layer needs a token in every text", f"{empty} of {len(packed)} have none")
        states = _run(self.ahead, x, packed)  # (T, width or width / 2)
        if self.back is None:
            return states
        turned = mirrored(packed)  # (T,)
        return torch.cat([states, _run(self.back, x[turned], packed)[turned]], dim=1)  # (T, width)


def _run(layers: nn.LSTM | nn.GRU, x: Tensor, packed: Packed) -> Tensor:
    layout = Layout(packed, causal=False)
    rows = pack_padded_sequence(layout.pad(x, 1)[:, 0], packed.lengths, batch_first=True, enforce_sorted=False)
    states, _ = pad_packed_sequence(layers(rows)[0], batch_first=True)  # (n, L, hidden)
    return layout.unpad(states[:, None])  # (T, hidden)


def mirrored(packed: Packed) -> Tensor:
    """Return the places that turn each text round, ``(T,)``; taking them twice gives the text back.

    Examples
    --------
    >>> import numpy as np
    >>> from isogloss.nn.packing import pack
    >>> mirrored(pack([np.array([5, 6, 7]), np.array([8])])).tolist()
    [2, 1, 0, 3]
    """
    both = packed.offsets[:-1] + packed.offsets[1:] - 1  # (n,) first place plus last
    places = torch.repeat_interleave(both, packed.lengths) - torch.arange(int(packed.offsets[-1]))  # (T,)
    return places.to(packed.ids.device)


class TwoWayPredictor(nn.Module):
    """A body whose states hold both ways apart, and a head for each: the next token, and the one before.

    Parameters
    ----------
    body
        Its states ``(T, width)``: the first half has not seen what follows, the second not what went before.
    ahead, back
        From half states and the token table to logits.
    """

    def __init__(self, body: nn.Module, ahead: nn.Module, back: nn.Module) -> None:
        super().__init__()
        self.body, self.ahead, self.back = body, ahead, back

    def forward(self, packed: Packed, ahead: Tensor, back: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits of the next token where ``ahead (T,)`` is true and of the one before where ``back`` is."""
        left, right = self.body(packed).chunk(2, dim=1)  # (T, width / 2) each
        table = self.body.embeddings.word.weight  # type: ignore[union-attr]
        return self.ahead(left[ahead], table), self.back(right[back], table)  # (m, V), (k, V)
