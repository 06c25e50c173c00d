"""Learning relevance over a frozen encoder: prompts are read once, a decoder or a head learns from them."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from isogloss.errors import UsageError
from isogloss.nn.packing import pack
from isogloss.nn.seq2seq import Seq2Seq
from isogloss.objectives.contract import Batch
from isogloss.objectives.sequence import RelevanceToken
from isogloss.seeding import derive
from isogloss.training.loop import train
from isogloss.training.randomness import seeded
from isogloss.training.sequence_batches import FrozenSources, SequenceBatches
from isogloss.training.stage import Forward, Optimiser, Player, Stage

Ids = NDArray[np.int64]


class ReadPrompts:
    """Prompts that were read once by the encoder of an encoder-decoder, to learn relevance from and to score.

    Parameters
    ----------
    model
        Whose encoder reads; it is not changed.
    prompts
        Token ids of each prompt (``isogloss.rerank.relevance_token.relevance_prompt``).

    Examples
    --------
    With a base model of the Lab, and ``true`` and ``false`` the numbers of two words::

        prompts = ReadPrompts(base.model, relevance_prompt(base.pieces)(query=queries, document=texts))
        model = prompts.learn_words(range(400), labels, words=(true, false), steps=60, seed=0)
        prompts.word_scores(model, range(400, 600), words=(true, false))  # (200,) logits
    """

    def __init__(self, model: Seq2Seq, prompts: Sequence[Ids]) -> None:
        self.model = model
        self.sources = FrozenSources(model.encoder.eval(), prompts, precision="bf16")

    def learn_words(
        self, rows: Sequence[int], labels: NDArray[np.int64], *, words: tuple[int, int], steps: int, seed: int,
        batch_size: int = 32, learning_rate: float = 1e-3,
    ) -> Seq2Seq:  # fmt: skip
        """Return a copy of the model whose decoder has learned to write a word for relevant prompts and one for others.

        Parameters
        ----------
        rows, labels
            Which prompts, and 1 or 0 for each.
        words
            Output rows for relevant and for irrelevant prompts.
        steps, seed, batch_size, learning_rate
            Of the training.

        Raises
        ------
        UsageError
            Where rows and labels are not equally many.
        """
        with torch.no_grad():
            model = copy.deepcopy(self.model)
        model.requires_grad_(True).encoder.requires_grad_(False)
        targets = [np.array([words[0] if label else words[1]], np.int64) for label in labels]
        self._train(model, self.sources.logits, rows, labels, targets, words, (steps, seed, batch_size, learning_rate))
        return model.eval()

    def learn_head(
        self, rows: Sequence[int], labels: NDArray[np.int64], *, steps: int, seed: int, batch_size: int = 32,
        learning_rate: float = 1e-3,
    ) -> nn.Linear:  # fmt: skip
        """Return a new layer that classifies prompts by the state of their first token; parameters as above.

        Nogueira and Cho 2019, "Passage Re-ranking with BERT" (https://arxiv.org/abs/1901.04085).
        """
        with seeded(derive(seed, "head")):
            head = nn.Linear(self.sources.states.shape[1], 2)
        targets = [np.zeros(1, np.int64) for _ in labels]
        self._train(head, self._classified, rows, labels, targets, (1, 0), (steps, seed, batch_size, learning_rate))
        return head.eval()

    def word_scores(self, model: Seq2Seq, rows: Sequence[int], *, words: tuple[int, int]) -> NDArray[np.float32]:
        """Return for each prompt how much likelier the first word is than the second, ``(n,)`` logits."""
        found = []
        with torch.inference_mode():
            for start in range(0, len(rows), 64):
                some = pack([self.sources.rows[row] for row in rows[start : start + 64]])
                first = pack([np.array([words[0]], np.int64)] * len(some))
                logits = model.decode(self.sources.states[some.ids], some, first)  # (n, outputs)
                found.append((logits[:, words[0]] - logits[:, words[1]]).numpy())
        return np.concatenate(found) if found else np.zeros(0, np.float32)

    def head_scores(self, head: nn.Linear, rows: Sequence[int]) -> NDArray[np.float32]:
        """Return the logit of relevance of each prompt by a classifier, ``(n,)``."""
        first = torch.tensor([int(self.sources.rows[row][0]) for row in rows], dtype=torch.long)  # (n,)
        with torch.inference_mode():
            logits = head(self.sources.states[first])  # (n, 2)
        return np.asarray((logits[:, 1] - logits[:, 0]).numpy())

    def _classified(self, module: nn.Module, batch: Batch) -> Tensor:
        sources = batch.columns[0]
        first = sources.ids[sources.offsets[:-1]]  # (n,)
        logits: Tensor = module(self.sources.states[first])  # (n, 2)
        return logits

    def _train(
        self, module: nn.Module, forward: Forward, rows: Sequence[int], labels: NDArray[np.int64],
        targets: list[Ids], words: tuple[int, int], settings: tuple[int, int, int, float],
    ) -> None:  # fmt: skip
        if len(rows) != len(labels):
            raise UsageError("each prompt needs a label", f"{len(rows)} prompts, {len(labels)} labels")
        steps, seed, batch_size, learning_rate = settings
        batches = SequenceBatches(
            [self.sources.rows[row] for row in rows], targets, batch_size=batch_size, seed=seed, labels=labels
        )
        player = Player(
            module=module, objective=RelevanceToken(true=words[0], false=words[1]), forward=forward,
            optimiser=Optimiser(learning_rate=learning_rate),
        )  # fmt: skip
        train(Stage(batches=batches, players=[player], steps=steps, precision="bf16", name="relevance"), seed=seed)
