"""New tokens for a trained encoder: their input vectors learn to do what the pieces did, and nothing else moves."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from isogloss.errors import UsageError
from isogloss.nn.fused import half_precision
from isogloss.nn.packing import Packed, pack
from isogloss.nn.sentence import SentenceModel
from isogloss.nn.transformer import Transformer
from isogloss.objectives.contract import Batch
from isogloss.objectives.distillation import FeatureDistillation
from isogloss.protocols import Progress
from isogloss.seeding import generator
from isogloss.training.loop import train
from isogloss.training.models import Trainable
from isogloss.training.stage import Optimiser, Player, Stage
from isogloss.vocabulary.added_words import same_ends, with_words, word_pieces

Start = Literal["mean", "random", "shuffled"]


def with_new_words(base: Trainable, words: Sequence[str], *, start: Start = "mean", seed: int = 0) -> Trainable:
    """Return a model in which each word is one token; the rest of the model and its old rows are the same numbers.

    Parameters
    ----------
    base
        Not changed; nothing is shared with it.
    words
        As for :func:`~isogloss.vocabulary.added_words.with_words`.
    start
        A new row is the ``mean`` of its word's pieces, ``random`` (normal, with the mean and the deviation of each
        number over the table), or the mean of another word's pieces (``shuffled``).
    seed
        Of what is random.

    Raises
    ------
    UsageError
        Where the table of the model and the tokenizer do not have the same tokens, or a word cannot be added.
    """
    old = base.tokenizer.tokenizer
    table = base.model.transformer.embeddings.word.weight.detach()  # (V, d)
    if len(table) != old.get_vocab_size():
        raise UsageError(
            "table and tokenizer do not belong together",
            f"{len(table):,} rows for {old.get_vocab_size():,} tokens", "new rows would take the numbers of others",
        )  # fmt: skip
    tokenizer = copy.copy(base.tokenizer)
    tokenizer.tokenizer = with_words(old, words)
    rows = _first_rows(table, word_pieces(old, words), start, seed)
    config = replace(base.model.transformer.config, vocabulary=len(table) + len(rows))
    with torch.no_grad():
        transformer = copy.deepcopy(base.model.transformer)
        transformer.config = transformer.embeddings.config = config
        transformer.embeddings.word = nn.Embedding.from_pretrained(torch.cat([table, rows]), freeze=False)  # (V + n, d)
    model = SentenceModel(
        transformer, pooling=base.model.pooling, dense=copy.deepcopy(list(base.model.dense)),
        normalise=base.model.normalise,
    )  # fmt: skip
    shape = base.plan.architecture
    plan = replace(base.plan, architecture=shape and replace(shape, vocabulary=config.vocabulary))
    return Trainable(model.eval(), tokenizer, plan, base.source, dict(base.extra))


def _first_rows(table: Tensor, pieces: Sequence[NDArray[np.int64]], start: Start, seed: int) -> Tensor:
    draw = generator(seed, "new rows")
    if start == "random":
        noise = torch.from_numpy(draw.standard_normal((len(pieces), table.shape[1]))).float()  # (n, d)
        return table.mean(0) + table.std(0) * noise
    rows = torch.stack([table[torch.from_numpy(ids)].mean(0) for ids in pieces])  # (n, d)
    return rows[torch.from_numpy(cycle(len(rows), draw))] if start == "shuffled" else rows


def cycle(count: int, draw: np.random.Generator) -> NDArray[np.int64]:
    """Return a random permutation that moves every number, where there are two or more.

    Examples
    --------
    >>> bool((cycle(9, np.random.default_rng(0)) == np.arange(9)).any())
    False
    """
    order = draw.permutation(count)
    moved = np.empty(count, np.int64)
    moved[order] = np.roll(order, 1)
    return moved


class NewRows(nn.Module):
    """A transformer at rest whose new tokens have rows that learn.

    Parameters
    ----------
    transformer
        Its own weights get no gradient; the module does without dropout, in training too.
    count
        How many of the table's last rows are new.
    """

    def __init__(self, transformer: Transformer, count: int) -> None:
        super().__init__()
        self.transformer = transformer.requires_grad_(False).eval()
        self.first = len(transformer.embeddings.word.weight) - count
        self.rows = nn.Parameter(transformer.embeddings.word.weight[self.first :].detach().clone())  # (n, d)

    def train(self, mode: bool = True) -> NewRows:
        """Leave the transformer as it is: what its states are must not be noise."""
        super().train(mode)
        self.transformer.eval()
        return self

    def forward(self, packed: Packed, layer: int = -1) -> Tensor:
        """Return the states ``(T, width)`` of a layer."""
        table = self.transformer.embeddings.word.weight
        new = packed.ids >= self.first  # (T,)
        learned = self.rows[(packed.ids - self.first).clamp_min(0)]  # (T, d)
        vectors = torch.where(new[:, None], learned, table[packed.ids])  # (T, d)
        return self.transformer.states(packed, (layer,), vectors=vectors)[0]


class AlignedStates:
    """Batches of texts in the new tokens, with the old model's states at the places where both cuts end alike.

    Parameters
    ----------
    base
        The teacher, with the old tokenizer.
    student
        With the new one.
    texts
        What is read; a text without a new word teaches nothing.
    batch_size, layer
        Texts a step, and whose states are aimed at.
    seed
        Of the orders.
    places
        For each new token the one that stands in its place; None: itself.
    """

    def __init__(
        self, base: Trainable, student: Trainable, texts: Sequence[str], *, batch_size: int = 16, layer: int = -1,
        seed: int = 0, places: NDArray[np.int64] | None = None,
    ) -> None:  # fmt: skip
        self.teacher, self.batch_size, self.layer, self.seed = base.model.transformer, batch_size, layer, seed
        old, new = base.tokenizer(texts, spans=True), student.tokenizer(texts, spans=True)
        self.pairs = [same_ends(one, other) for one, other in zip(old.spans, new.spans, strict=True)]
        self.old, self.new = old.ids, new.ids
        if places is not None:
            first = len(self.teacher.embeddings.word.weight)
            self.new = [np.where(ids >= first, first + places[np.maximum(ids - first, 0)], ids) for ids in new.ids]
        self.per_epoch = -(-len(self.new) // batch_size)

    def __call__(self, step: int) -> Batch:
        """Return the texts of a step; ``extra`` holds the student's places ``(m,)`` and the teacher's states there."""
        epoch, part = divmod(step, self.per_epoch)
        order = generator(self.seed, "contexts", epoch).permutation(len(self.new))
        rows = order[part * self.batch_size : (part + 1) * self.batch_size]
        old, new = pack([self.old[i] for i in rows]), pack([self.new[i] for i in rows])
        there = _places(old, [self.pairs[i][0] for i in rows])
        with torch.no_grad(), half_precision():
            states = self.teacher.states(old, (self.layer,))[0].float()[there]  # (m, width)
        return Batch((new,), extra={"places": _places(new, [self.pairs[i][1] for i in rows]), "teacher": states})

    def forward(self, module: nn.Module, batch: Batch) -> tuple[Tensor]:
        """Return the student's states at the paired places ``(m, width)``: a player's forward pass."""
        states: Tensor = module(batch.columns[0], self.layer)  # (T, width)
        return (states[batch.extra["places"]].float(),)


def _places(packed: Packed, inside: Sequence[NDArray[np.int64]]) -> Tensor:
    """Return places in texts as places in the packed tokens, ``(m,)``."""
    starts = packed.offsets[:-1].tolist()
    return torch.from_numpy(np.concatenate([one + start for one, start in zip(inside, starts, strict=True)]))


def distilled_words(
    base: Trainable, contexts: Mapping[str, Sequence[str]], *, layer: int = -1, steps: int | None = None,
    epochs: float = 1, batch_size: int = 16, learning_rate: float = 1e-3, seed: int = 0, shuffled: bool = False,
    progress: Progress | None = None,
) -> Trainable:  # fmt: skip
    """Give a model new tokens whose vectors are distilled from what it makes of their pieces.

    The old model reads contexts of each word in pieces; the new one reads them with one token, and its states are drawn
    to the old ones wherever both cuts end a token at the same character: at the word itself by its last piece, and at
    all other tokens. Only the new rows move; they start as the mean of the pieces.

    Source: Dobler, Elliott and de Melo 2025, "AweDist: Attention-aware Embedding Distillation for New Input Token
    Embeddings" (https://arxiv.org/abs/2505.20133); theirs is for causal models too, with options that are left out.

    Parameters
    ----------
    base
        Not changed.
    contexts
        For each new word texts that hold it, from :func:`~isogloss.corpus.word_contexts.word_contexts`.
    layer
        Whose states are aimed at; -1 for the last one.
    steps, epochs
        How long: a number of steps, or passes over the contexts.
    batch_size, learning_rate, seed
        Of the training: AdamW without decay.
    shuffled
        Let each token learn in the place of another one: a control that knows nothing of its word.
    progress
        Where to report.

    Raises
    ------
    UsageError
        Where a word has no context.
    """
    words = list(contexts)
    missing = [word for word in words if not contexts[word]]
    if missing or not words:
        why = f"{len(missing)} of {len(words)}" + (f", such as {missing[0]!r}" if missing else "")
        raise UsageError("a new word has no context to learn from", why, "leave it out, or give texts that hold it")
    student = with_new_words(base, words)
    texts = list(dict.fromkeys(text for word in words for text in contexts[word]))
    places = cycle(len(words), generator(seed, "places")) if shuffled else None
    batches = AlignedStates(
        base, student, texts, batch_size=batch_size, layer=layer, seed=seed, places=places
    )  # fmt: skip
    module = NewRows(student.model.transformer, len(words))
    player = Player(
        module=module, objective=FeatureDistillation(), forward=batches.forward,
        optimiser=Optimiser(learning_rate=learning_rate, weight_decay=0.0),
    )  # fmt: skip
    wanted = max(1, round(epochs * batches.per_epoch)) if steps is None else steps
    stage = Stage(batches=batches, players=[player], steps=wanted, precision="bf16", name="new words")
    train(stage, seed=seed, progress=progress)
    with torch.no_grad():
        student.model.transformer.embeddings.word.weight[module.first :] = module.rows
    student.model.requires_grad_(True)
    student.model.eval()
    return student
