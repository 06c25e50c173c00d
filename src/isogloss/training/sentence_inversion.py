"""Vectors from which a frozen language model writes given sentences again, found by gradient descent on the vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from isogloss.arrays import Dense
from isogloss.errors import UsageError
from isogloss.nn.heads import TokenPredictor
from isogloss.nn.injection import Where, injected_logits
from isogloss.nn.packing import pack
from isogloss.seeding import derive

Ids = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class SentenceInversion:
    """How vectors are searched for, and read.

    The vector ``z`` of a sentence maximises the probability of its tokens, ``sum_t log p(s_t | s_<t, z)``, end
    included, while the model stays as it is; then the model writes from ``z`` alone, the likeliest token each time.
    A ``z`` narrower than the model is widened by a fixed random matrix with orthonormal rows.

    Source: Subramani and Suresh 2020, "Discovering Useful Sentence Representations from Large Pretrained Language
    Models" (https://arxiv.org/abs/2008.09049).

    Attributes
    ----------
    dimensions
        Components of ``z``; 0 for the width of the model.
    where
        As in :func:`~isogloss.nn.injection.injected_logits`.
    steps, rate
        Of Adam, on all sentences at once.
    seed
        Of the first vectors and of the matrix.
    """

    dimensions: int = 0
    where: Where = "layers"
    steps: int = 400
    rate: float = 0.05
    seed: int = 0

    def fit(self, model: Any, sentences: Sequence[Ids]) -> Dense:
        """Return the vector of each sentence, widened to the model, ``(n, width)``.

        Parameters
        ----------
        model
            With ``predictor``, ``begin`` and ``end``, such as a base model; its weights are neither changed nor given
            gradients.
        sentences
            Token ids of each, without begin and end.

        Raises
        ------
        UsageError
            Where there is no sentence, or more dimensions are asked for than the model is wide.
        """
        predictor: TokenPredictor = model.predictor
        width = int(predictor.body.config.width)  # type: ignore[union-attr, arg-type]
        size = self.dimensions or width
        if not len(sentences) or not 1 <= size <= width:
            raise UsageError(
                "no vectors can be searched for", f"{len(sentences)} sentences, {size} of {width} components"
            )
        draw = torch.Generator().manual_seed(derive(self.seed, "inversion") % 2**63)
        widen = torch.linalg.qr(torch.randn(width, size, generator=draw)).Q.T  # (size, width), orthonormal rows
        z = (0.01 * torch.randn(len(sentences), size, generator=draw)).requires_grad_()  # (n, size)
        packed = pack([np.concatenate([[model.begin], one]) for one in sentences])
        targets = torch.from_numpy(np.concatenate([np.concatenate([one, [model.end]]) for one in sentences]))  # (T,)
        optimiser = torch.optim.Adam([z], lr=self.rate)
        for step in range(self.steps):
            for group in optimiser.param_groups:
                group["lr"] = self.rate * (1 - step / self.steps)
            logits = injected_logits(predictor, packed, z @ widen, self.where)  # (T, V)
            loss = functional.cross_entropy(logits.float(), targets, reduction="sum")
            (z.grad,) = torch.autograd.grad(loss, [z])
            optimiser.step()
        return np.asarray((z.detach() @ widen).numpy(), np.float32)

    def decode(self, model: Any, vectors: Dense, longest: int) -> list[list[int]]:
        """Return the tokens that the model writes from each vector ``(width,)`` alone, up to its end or ``longest``."""
        told = torch.from_numpy(np.asarray(vectors, np.float32))
        written: list[list[int]] = [[] for _ in vectors]
        open_rows = list(range(len(written)))
        for _ in range(longest):
            if not open_rows:
                break
            packed = pack([np.array([model.begin, *written[row]], np.int64) for row in open_rows])
            with torch.inference_mode():
                logits = injected_logits(model.predictor, packed, told[open_rows], self.where)  # (T, V)
            chosen = logits[packed.offsets[1:] - 1].argmax(1).tolist()  # (T, V) -> (n, V) -> (n,)
            for row, token in zip(open_rows, chosen, strict=True):
                written[row].append(token)
            open_rows = [row for row, token in zip(open_rows, chosen, strict=True) if token != model.end]
        return [row[:-1] if row and row[-1] == model.end else row for row in written]


def token_accuracy(found: Sequence[Sequence[int]], sentences: Sequence[Ids]) -> NDArray[np.float64]:
    """Return for each sentence the share of its tokens that stand at their place, ``(n,)``.

    Examples
    --------
    >>> token_accuracy([[1, 2, 9], [5]], [np.array([1, 2, 3]), np.array([5, 6])]).round(2).tolist()
    [0.67, 0.5]
    """
    shares = []
    for one, sentence in zip(found, sentences, strict=True):
        right = sum(a == b for a, b in zip(one, sentence.tolist(), strict=False))
        shares.append(right / max(1, len(sentence)))
    return np.array(shares, np.float64)
