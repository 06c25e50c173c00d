"""A decoder that is its encoder once more: the same layers, seeing what went before and one vector alone."""

from __future__ import annotations

from torch import Tensor, nn

from isogloss.errors import UnsupportedModelError, UsageError
from isogloss.nn.bottleneck_decoder import led_by_vectors
from isogloss.nn.heads import TokenPredictor
from isogloss.nn.packing import Packed
from isogloss.nn.transformer import Layout, Transformer


class TiedDecoder(nn.Module):
    """A writer of texts from vectors that shares every weight with a masked language model.

    Token table, places, layers and head are those of the model; it reads from left to right, the vector in the place of
    a first token, and each layer attends to the vector besides. Attention to a single vector ``z`` has one weight, 1,
    so that it adds ``out(value(z))`` to every place, with the layer's own two maps. So the decoder knows words from the
    first step on, and what it learns the encoder learns: "TSDAE" (https://arxiv.org/abs/2104.06979), section 3.

    Parameters
    ----------
    predictor
        Body and head; the body a post-norm transformer with places of its own.

    Raises
    ------
    UnsupportedModelError
        Where the body is of another shape.

    Examples
    --------
    >>> import numpy as np, torch
    >>> from isogloss.nn.heads import MaskedHead
    >>> from isogloss.nn.packing import pack
    >>> from isogloss.nn.transformer import TransformerConfig
    >>> body = Transformer(TransformerConfig(vocabulary=9, width=8, layers=1, heads=2, inner=16))
    >>> decoder = TiedDecoder(TokenPredictor(body, MaskedHead(9, 8)))
    >>> tuple(decoder(torch.zeros(2, 8), pack([np.array([1, 2, 3]), np.array([4])])).shape)
    (4, 9)
    """

    def __init__(self, predictor: TokenPredictor) -> None:
        super().__init__()
        body = predictor.body
        config = body.config if isinstance(body, Transformer) else None
        if config is None or config.norm_first or config.buckets or config.first_position or config.causal or (
            config.embedding_width not in (None, config.width)
        ):  # fmt: skip
            raise UnsupportedModelError(
                "this model cannot be its own decoder", f"{type(body).__name__}: {config}",
                "use a post-norm transformer with absolute places, such as BERT's",
            )  # fmt: skip
        self.predictor = predictor

    def forward(self, vectors: Tensor, given: Packed, at: Tensor | None = None) -> Tensor:
        """Return logits ``(m, V)`` of the given text's tokens, of all or of those where ``at (T,)`` is true.

        Parameters
        ----------
        vectors
            ``(n, width)``, one a text.
        given
            The texts: each token is told from its text's vector and the tokens before it.
        at
            Which tokens to tell.

        Raises
        ------
        UsageError
            Where there is not one vector a text.
        """
        if len(vectors) != len(given):
            raise UsageError("each text needs one vector", f"{len(given)} texts, {len(vectors)} vectors")
        body: Transformer = self.predictor.body  # type: ignore[assignment]
        led, first, own = led_by_vectors(given)  # (T + n,), (n,), (T,)
        x: Tensor = body.embeddings(led)  # (T + n, width)
        x = x.index_copy(0, first, vectors.to(x.dtype))
        layout, texts = Layout(led, causal=True), led.texts()
        for layer in body.layers:
            told = layer.attention_out(layer.value(vectors))  # type: ignore[operator]  # (n, width)
            x = layer(x + told.to(x.dtype)[texts], layout)  # (T + n, width)
        asked = own - 1 if at is None else own[at] - 1  # (m,) the state that has seen all but the token itself
        logits: Tensor = self.predictor.head(x[asked], self.predictor.table)  # (m, V)
        return logits


class Blind(nn.Module):
    """An encoder whose vectors are nought: what a decoder is trained to without them, at the same cost.

    Parameters
    ----------
    encoder
        From packed tokens to vectors.

    Examples
    --------
    >>> import torch
    >>> Blind(nn.Identity())(torch.ones(1, 2)).tolist()
    [[0.0, 0.0]]
    """

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, packed: Packed) -> Tensor:
        """Return zeros ``(n, d)``, through which a gradient of zeros goes back."""
        vectors: Tensor = self.encoder(packed)  # (n, d)
        return vectors * 0
