"""Contextual words come near vectors that were fixed before, beside the masked-language-model loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from isogloss.errors import UsageError
from isogloss.nn.packing import Packed
from isogloss.objectives.contract import Batch, Losses, weighted_sum
from isogloss.objectives.distillation import Error, vector_error
from isogloss.objectives.token_targets import IGNORED, targets_of, token_losses, token_weights


class TokensAndWords(NamedTuple):
    """Logits ``(m, V)`` at the judged positions, and a vector ``(w, d)`` of each word that has a target."""

    logits: Tensor
    words: Tensor


def predict_with_words(module: nn.Module, batch: Batch) -> TokensAndWords:
    """Return logits at the judged positions and the mean state of each word's tokens, by one pass of the body.

    The module is a :class:`~isogloss.nn.heads.TokenPredictor`; ``extra["words"]`` has the number of each token's word,
    -1 for none, ``extra["teacher"]`` one row a word.
    """
    predictor: Any = module
    states = predictor.body(batch.columns[0])  # (T, d)
    logits = predictor.head(states[targets_of(batch) != IGNORED], predictor.table)  # (m, V)
    places, count = word_places(batch), len(batch.extra["teacher"])
    kept = places >= 0  # (T,)
    total = states.new_zeros(count, states.shape[1]).index_add(0, places[kept], states[kept])  # (w, d)
    sizes = torch.bincount(places[kept], minlength=count).clamp_min(1)  # (w,)
    return TokensAndWords(logits, total / sizes[:, None])


def word_places(batch: Batch) -> Tensor:
    """Return the number of the word that each token of the first column spells a part of, ``(T,)``, -1 for none.

    Raises
    ------
    UsageError
        Where the batch has no words, no targets of them, or not one number a token.
    """
    words = batch.extra.get("words")
    if not isinstance(words, Packed) or "teacher" not in batch.extra:
        raise UsageError("the batch says nothing of words", f"extra holds {', '.join(batch.extra) or 'nothing'}",
                         "take batches from training.word_alignment")  # fmt: skip
    if len(words.ids) != len(batch.columns[0].ids):
        raise UsageError("each token needs the number of its word",
                         f"{len(words.ids)} numbers, {len(batch.columns[0].ids)} tokens")  # fmt: skip
    return words.ids


@dataclass(frozen=True, slots=True, kw_only=True)
class WordAlignment:
    """How far words in their contexts are from their targets, one value a word; takes the words ``(w, d)``.

    Targets are ``extra["teacher"] (w, d)``: static vectors that were aligned between languages beforehand, the same one
    for each occurrence of a word.

    Source: Haemmerl, Libovicky, Fraser 2022, "Combining Static and Contextualised Multilingual Embeddings"
    (https://arxiv.org/abs/2203.09326), the loss of mean squared error.

    Attributes
    ----------
    error
        As in :class:`~isogloss.objectives.distillation.FeatureDistillation`.

    Examples
    --------
    >>> import numpy as np
    >>> from isogloss.nn.packing import pack
    >>> texts, words = pack([np.array([5, 6, 7])]), pack([np.array([0, 0, -1])])
    >>> batch = Batch((texts,), extra={"words": words, "teacher": torch.tensor([[1.0, 0.0]])})
    >>> WordAlignment()(torch.tensor([[3.0, 0.0]]), batch).values.tolist()
    [2.0]
    """

    error: Error = "squared"

    cacheable: ClassVar[bool] = False

    def __call__(self, outputs: Tensor, batch: Batch) -> Losses:
        """Return one loss a word; a word weighs what its text weighs."""
        places, target = word_places(batch), batch.extra["teacher"].to(outputs)
        if outputs.shape != target.shape:
            raise UsageError("words and targets do not belong together",
                             f"{tuple(outputs.shape)} and {tuple(target.shape)}")  # fmt: skip
        values = vector_error(outputs, target, self.error)  # (w,)
        weights = token_weights(batch)
        if weights is not None:
            kept = places >= 0  # (T,)
            weights = values.new_zeros(len(values)).index_copy(0, places[kept], weights.to(values)[kept])  # (w,)
        return Losses(values, weights, "token")


@dataclass(frozen=True, slots=True, kw_only=True)
class AlignedMasking:
    """Masked language modelling and the alignment of words, one value of the batch; takes :class:`TokensAndWords`.

    Continued pre-training of Haemmerl, Libovicky, Fraser 2022 (https://arxiv.org/abs/2203.09326): no text needs a
    translation, because what links the languages are the targets.

    Attributes
    ----------
    weight
        Of the alignment; 0 leaves masked language modelling alone.
    error
        As in :class:`WordAlignment`.

    Examples
    --------
    >>> import numpy as np
    >>> from isogloss.nn.packing import pack
    >>> extra = {"targets": pack([np.array([-100, 1])]), "words": pack([np.array([0, -1])])}
    >>> batch = Batch((pack([np.array([4, 0])]),), extra={**extra, "teacher": torch.ones(1, 3)})
    >>> round(float(AlignedMasking(weight=2.0)(TokensAndWords(torch.zeros(1, 8), torch.zeros(1, 3)), batch).mean()), 4)
    4.0794
    """

    weight: float = 1.0
    error: Error = "squared"

    cacheable: ClassVar[bool] = False

    def __call__(self, outputs: TokensAndWords, batch: Batch) -> Losses:
        """Return one loss of the batch; the parts have both."""
        masked = token_losses(outputs.logits, targets_of(batch), token_weights(batch))
        aligned = WordAlignment(error=self.error)(outputs.words, batch)
        return weighted_sum({"masked": (1.0, masked), "alignment": (self.weight, aligned)})
