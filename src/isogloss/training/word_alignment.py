"""Continued masked training that draws words in context to static vectors aligned between languages."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from isogloss.arrays import Dense, Ragged
from isogloss.encoders.words_in_context import Occurrences, States, occurrences
from isogloss.errors import UsageError
from isogloss.nn.heads import TokenPredictor
from isogloss.objectives.contract import Batch
from isogloss.objectives.token_targets import IGNORED
from isogloss.objectives.word_alignment import AlignedMasking, predict_with_words
from isogloss.training.corpus_batches import Hiding, MaskedBatches, packed, taken
from isogloss.training.language_model import alike
from isogloss.training.loop import train
from isogloss.training.pretraining import Pretraining
from isogloss.training.pretraining_tasks import assembled
from isogloss.training.randomness import seeded
from isogloss.training.stage import Optimiser, Player, Stage

Vocabulary = tuple[Sequence[str], Dense]
"""Words of one language and the vector ``(V, d)`` that each is to come near."""


def spelled(texts: Sequence[str], tokenizer: Any, longest: int) -> tuple[Ragged, Ragged]:
    """Return tokens with the tokenizer's marks, cut at ``longest``, and ``(T, 2)`` characters of each, marks empty.

    Parameters
    ----------
    texts
        Any texts.
    tokenizer
        A ``tokenizers.Tokenizer`` with one mark before and one after a text, as
        :func:`~isogloss.training.tokenizer_learning.word_pieces` makes it.
    longest
        Most tokens, marks counted.

    Examples
    --------
    >>> from isogloss.training.tokenizer_learning import word_pieces
    >>> tokens, spans = spelled(["The hen"], word_pieces(["The hen and the den."] * 30, 40), 8)
    >>> spans.values.tolist()
    [[0, 0], [0, 3], [4, 7], [0, 0]]
    """
    around = tokenizer.encode("").ids
    if len(around) != 2 or longest < 3:
        raise UsageError("a text needs a mark on either side, and room", f"{len(around)} marks, {longest} tokens")
    ids, spans = [], []
    for one in tokenizer.encode_batch(list(texts), add_special_tokens=False):
        ids.append(np.array([around[0], *one.ids[: longest - 2], around[1]], np.int64))
        spans.append(np.array([(0, 0), *one.offsets[: longest - 2], (0, 0)], np.int64))
    return Ragged.from_list(ids), Ragged.from_list(spans)


def states_of(body: nn.Module, tokenizer: Any, *, longest: int = 128) -> States:
    """Return a body's last states as :func:`~isogloss.encoders.words_in_context.mean_in_context` wants them.

    Parameters
    ----------
    body
        From packed tokens to states ``(T, d)``.
    tokenizer, longest
        As for :func:`spelled`.
    """

    def states(texts: Sequence[str]) -> tuple[Ragged, Ragged]:
        tokens, spans = spelled(texts, tokenizer, longest)
        training = body.training
        body.eval()
        with torch.inference_mode():
            found = body(packed(np.asarray(tokens.values), tokens.offsets)).float().numpy()  # (T, d)
        body.train(training)
        return Ragged(found, tokens.offsets), spans

    return states


def foretold_states(
    body: nn.Module, tokenizer: Any, words: Sequence[str], *, mask: int, parts: int = 3, longest: int = 128
) -> States:
    """Return states as :func:`states_of` does, those of known words as the model foretells them: the word is hidden.

    The mean of such states knows a word by its company alone, as the context side of X2Static does (Gupta and Jaggi
    2021, https://arxiv.org/abs/2106.04302), and not by its own letters, which two languages share by accident.

    Parameters
    ----------
    body, tokenizer, longest
        As for :func:`states_of`.
    words
        That are hidden; the states of other tokens are zeros.
    mask
        Number of the token that hides.
    parts
        Passes; each hides one of so many occurrences, so that the others are there to foretell it from.
    """
    rows = {word: row for row, word in enumerate(words)}

    def states(texts: Sequence[str]) -> tuple[Ragged, Ragged]:
        tokens, spans = spelled(texts, tokenizer, longest)
        places = occurrences(texts, spans, rows).places.values
        out: NDArray[Any] = np.zeros(0)
        training = body.training
        body.eval()
        with torch.inference_mode():
            for part in range(parts):
                hidden = (places >= 0) & (places % parts == part)
                found = body(packed(np.where(hidden, mask, tokens.values), tokens.offsets)).float().numpy()  # (T, d)
                out = out if len(out) else np.zeros_like(found)
                out[hidden] = found[hidden]
        body.train(training)
        return Ragged(out, tokens.offsets), spans

    return states


def masked_from_nothing(
    sequences: Ragged, hiding: Hiding, *, steps: int, learning_rate: float = 5e-3, width: int = 128, layers: int = 2,
    batch_size: int = 64, seed: int = 0,
) -> TokenPredictor:  # fmt: skip
    """Return a masked model of gated convolutions, trained on sequences; its head begins at the tokens' frequencies.

    Parameters
    ----------
    sequences, hiding
        As for :func:`~isogloss.training.pretraining_tasks.assembled`.
    steps, learning_rate, batch_size, seed
        Of the training.
    width, layers
        Of the body.
    """
    longest = int(np.diff(sequences.offsets).max())
    with seeded(seed):
        task = assembled("gated-cnn", sequences, hiding, width=width, layers=layers, batch_size=batch_size, seed=seed,
                         positions=longest)  # fmt: skip
    module: Any = task.module
    often = np.bincount(sequences.values, minlength=hiding.vocabulary) + 1.0  # (V,)
    with torch.no_grad():
        module.head.bias.copy_(torch.from_numpy(np.log(often / often.sum())))  # (V,)
    return trained(task, steps, learning_rate=learning_rate, seed=seed)


def trained(task: Pretraining, steps: int, *, learning_rate: float, seed: int) -> TokenPredictor:
    """Return a task's predictor after so many steps of it in bfloat16 (weights in float32), trained in place.

    Parameters
    ----------
    task
        Whose module is a predictor of tokens.
    steps, learning_rate
        How many; the highest rate, after a tenth of them.
    seed
        Of whatever is random in the passes.
    """
    optimiser = Optimiser(learning_rate=learning_rate)
    player = Player(module=task.module, objective=task.objective, forward=task.forward, optimiser=optimiser)
    train(Stage(batches=task.batches, players=[player], steps=steps, precision="bf16"), seed=seed)
    made: Any = task.module
    predictor: TokenPredictor = made
    return predictor


class AlignedBatches:
    """Masked batches that also say which tokens spell which word, and where each word is to come to lie.

    A word of which a token is hidden is left out: its state would be a guess.

    Parameters
    ----------
    masked
        Gives the batches.
    found
        The words in its sequences.
    vectors
        ``(V, d)`` a target for each row that an occurrence names.

    Raises
    ------
    UsageError
        Where the words are of other sequences.
    """

    def __init__(self, masked: MaskedBatches, found: Occurrences, vectors: Dense) -> None:
        if not np.array_equal(masked.sequences.offsets, found.places.offsets):
            raise UsageError("words and sequences do not belong together",
                             f"{len(masked.sequences)} sequences, words of {len(found.places)}")  # fmt: skip
        self.masked, self.found, self.vectors = masked, found, vectors
        self.per_epoch = masked.per_epoch

    def __call__(self, step: int) -> Batch:
        """Return the batch of a step, ``words`` and ``teacher`` in ``extra``."""
        batch = self.masked(step)
        places, offsets = taken(self.found.places, self.masked.order(step))
        hidden = batch.extra["targets"].ids.numpy() != IGNORED  # (T,)
        places = np.where(np.isin(places, places[hidden]), -1, places)
        kept, numbers = np.unique(places, return_inverse=True)
        lacking = int(len(kept) > 0 and kept[0] < 0)
        teacher = torch.from_numpy(self.vectors[self.found.words[kept[lacking:]]])  # (w, d)
        extra = {"words": packed(numbers.astype(np.int64) - lacking, offsets), "teacher": teacher}
        return Batch(batch.columns, extra={**batch.extra, **extra})


def aligned_task(
    predictor: TokenPredictor, texts: Sequence[Sequence[str]], vocabularies: Sequence[Vocabulary], tokenizer: Any,
    hiding: Hiding, *, weight: float = 1.0, longest: int = 128, batch_size: int = 32, seed: int = 0,
) -> Pretraining:  # fmt: skip
    """Return the continued training of a copy of a masked model on texts of several languages, words tied to vectors.

    Source: Haemmerl, Libovicky, Fraser 2022, "Combining Static and Contextualised Multilingual Embeddings"
    (https://arxiv.org/abs/2203.09326).

    Parameters
    ----------
    predictor
        A body and its masked head; not changed.
    texts
        Of each language; no text needs a translation.
    vocabularies
        Of each language: words and where they are to come to lie; words without a row are free.
    tokenizer, longest
        As for :func:`spelled`.
    hiding
        What is hidden.
    weight
        Of the alignment beside the masked loss; 0 for none of it.
    batch_size, seed
        Of the batches.

    Raises
    ------
    UsageError
        Where there are not as many vocabularies as languages.
    """
    if len(texts) != len(vocabularies):
        raise UsageError("each language needs its words", f"{len(texts)} languages, {len(vocabularies)} vocabularies")
    tokens, spans = spelled([text for some in texts for text in some], tokenizer, longest)
    found = _in_all(texts, spans, [words for words, _ in vocabularies])
    batches = MaskedBatches(tokens, hiding, batch_size=batch_size, seed=seed)
    vectors = np.concatenate([np.asarray(vectors, np.float32) for _, vectors in vocabularies])
    return Pretraining(
        module=copy.deepcopy(predictor), objective=AlignedMasking(weight=weight), forward=predict_with_words,
        batches=AlignedBatches(batches, found, vectors),
    )  # fmt: skip


def _in_all(texts: Sequence[Sequence[str]], spans: Ragged, vocabularies: Sequence[Sequence[str]]) -> Occurrences:
    """Return the words of all languages, the rows of each language behind those of the one before."""
    places: list[NDArray[np.int64]] = []
    rows: list[NDArray[np.int64]] = []
    start = words = 0
    for some, vocabulary in zip(texts, vocabularies, strict=True):
        numbers: Mapping[str, int] = {word: words + row for row, word in enumerate(vocabulary)}
        offsets = spans.offsets[start : start + len(some) + 1]
        part = Ragged(spans.values[offsets[0] : offsets[-1]], offsets - offsets[0])
        found = occurrences(some, part, numbers)
        before = sum(len(one) for one in rows)
        places.append(np.where(found.places.values >= 0, found.places.values + before, -1))
        rows.append(found.words)
        start, words = start + len(some), words + len(vocabulary)
    return Occurrences(Ragged(np.concatenate(places), spans.offsets), np.concatenate(rows))


def hidden_nats(
    predictor: TokenPredictor, sequences: Ragged, hiding: Hiding, *, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the nats of every hidden token of held-out sequences, and the sequence that it stands in, ``(m,)`` each.

    Parameters
    ----------
    predictor
        A body and its masked head.
    sequences
        Of tokens with their marks.
    hiding, seed
        What is hidden; the same tokens for every model with one seed.
    """
    batches = MaskedBatches(sequences, hiding, batch_size=len(sequences), seed=seed)
    batch, order = batches(0), batches.order(0)
    shown, targets = (
        Ragged(one.ids.numpy(), one.offsets.numpy()) for one in (batch.columns[0], batch.extra["targets"])
    )
    nats, owners = [], []
    training = predictor.training
    predictor.eval()
    with torch.inference_mode():
        for group in alike(np.diff(shown.offsets).tolist()):
            part, asked = packed(*taken(shown, np.array(group))), torch.from_numpy(taken(targets, np.array(group))[0])
            judged = asked != IGNORED  # (t,)
            logits = predictor(part, judged).float()  # (m, V)
            nats.append(functional.cross_entropy(logits, asked[judged], reduction="none").double().numpy())  # (m,)
            owners.append(order[np.array(group)[part.texts()[judged].numpy()]])
    predictor.train(training)
    return np.concatenate(nats), np.concatenate(owners)
