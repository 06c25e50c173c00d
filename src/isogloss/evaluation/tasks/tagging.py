"""Sequence tagging: what a linear probe on the vectors of words says about each word of a sentence."""

from __future__ import annotations

import time
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.corpus.examples import Splits, TaggedSentences
from isogloss.errors import IsoglossError, IsoglossWarning, UsageError
from isogloss.evaluation.metrics.tagging import tags
from isogloss.evaluation.probes import LogisticProbe, dense, on_one_scale
from isogloss.evaluation.results import TaskResult
from isogloss.evaluation.tasks.encode import Encoding
from isogloss.protocols import Encoder, Progress, Silent, TokenStates
from isogloss.seeding import generator

Floats = NDArray[Any]
_BATCH = 256


def run(
    encoder: Encoder, data: Splits[TaggedSentences], *, name: str, seed: int = 0, progress: Progress | None = None,
    layer: int = -1, most: int = 30_000, probe: LogisticProbe | None = None,
) -> TaskResult:  # fmt: skip
    """Measure an encoder by a linear probe that tags words from the token vectors of one layer.

    The vector of a word is the mean of the vectors of its tokens, in its sentence. An encoder without token states
    is asked for the vector of each word on its own, which knows no context; the details say which was done.

    Parameters
    ----------
    encoder, name, progress
        As for :func:`isogloss.evaluation.tasks.sts.run`.
    data
        The parts ``train`` and ``test``.
    seed
        Of the draw of training sentences where there are more than ``most`` words.
    layer
        Of the states; -1 is the last one.
    most
        Training words at most.
    probe
        What learns; a logistic probe where None. Vectors are brought on one scale first.

    Returns
    -------
    TaskResult
        ``accuracy`` of tags; for entities also ``f1`` (counts then), ``precision``, ``recall`` as conlleval counts
        them, over sentences as items. Words beyond the encoder's window get the most frequent tag and are counted
        (``words_cut``).

    Raises
    ------
    UsageError
        Where a part is missing.
    IsoglossError
        Where the training part has a single tag.

    Warns
    -----
    IsoglossWarning
        Where words lie beyond the window.
    """
    missing = [part for part in ("train", "test") if part not in data.parts]
    if missing:
        raise UsageError(f"the task needs a part {missing[0]}", f"there are: {', '.join(data.parts)}", "give both")
    train, test = _drawn(data["train"], most, seed), data["test"]
    names, numbers = np.unique([tag for sentence in train.tags for tag in sentence], return_inverse=True)
    if len(names) < 2:
        raise IsoglossError("a tagger needs two tags", f"the training part has {len(names)}", "check the data set")
    encoding = Encoding(encoder, progress or Silent())
    vectors, known = _word_vectors(encoding, [*train.words, *test.words], layer)
    cut = len(numbers)
    learner = probe or LogisticProbe()
    learned, asked = on_one_scale(vectors[:cut][known[:cut]], vectors[cut:])
    learner.fit(learned, numbers[known[:cut]].astype(np.int64))
    frequent = int(np.bincount(numbers).argmax())
    guessed = np.where(known[cut:], learner.predict(asked), frequent)
    if not known.all():
        said = f"{name}: {int((~known).sum())} of {len(known)} words lie beyond the window of the encoder"
        warnings.warn(said, IsoglossWarning, stacklevel=2)
    ends = np.cumsum([len(words) for words in test.words])
    predicted = [part.tolist() for part in np.split(names[guessed], ends[:-1])]
    samples = tags(predicted, test.tags)
    details = {
        "training_words": cut, "tags": len(names), "words_cut": int((~known).sum()), "C": learner.C,
        "context": isinstance(encoder, TokenStates), "layer": layer, **encoding.details(),
    }  # fmt: skip
    return TaskResult(name, "tagging", "f1" if "f1" in samples else "accuracy", samples, details, encoding.seconds)


def _drawn(data: TaggedSentences, most: int, seed: int) -> TaggedSentences:
    """Sentences in random order until they hold ``most`` words, in the order of the data."""
    lengths = np.array([len(words) for words in data.words])
    if lengths.sum() <= most:
        return data
    order = generator(seed, "tagging", "draw").permutation(len(lengths))
    kept = np.sort(order[np.cumsum(lengths[order]) <= most])
    return TaggedSentences([data.words[row] for row in kept], [data.tags[row] for row in kept])


def _word_vectors(encoding: Encoding, sentences: list[list[str]], layer: int) -> tuple[Floats, NDArray[np.bool_]]:
    """Vectors of all words ``(words, d)``, and which words have one."""
    encoder: Any = encoding.encoder
    if not isinstance(encoder, TokenStates):
        vectors = dense(encoding.of([word for words in sentences for word in words]))
        return vectors, np.ones(len(vectors), np.bool_)
    found, known = [], []
    encoding.progress.start("encoding", len(sentences), "sentences")
    started = time.perf_counter()
    try:
        for start in range(0, len(sentences), _BATCH):
            part = sentences[start : start + _BATCH]
            states, spans = encoder.states([" ".join(words) for words in part], [layer])
            for words, vectors, places in zip(part, states, spans, strict=True):
                table, full = word_means(words, vectors[:, 0], places)
                found.append(table)
                known.append(full)
            encoding.progress.advance(len(part))
    finally:
        encoding.progress.finish()
        encoding.seconds += time.perf_counter() - started
    return np.concatenate(found), np.concatenate(known)


def word_means(words: list[str], states: Floats, spans: NDArray[Any]) -> tuple[Floats, NDArray[np.bool_]]:
    """Return for each word the mean of the states of the tokens that overlap it, and whether there is one.

    Parameters
    ----------
    words
        The sentence, which was encoded as these words with a blank between.
    states
        ``(t, d)`` vectors of tokens.
    spans
        ``(t, 2)`` characters of each token, empty for special ones.

    Examples
    --------
    >>> states = np.array([[9.0], [1.0], [3.0], [5.0]])
    >>> word_means(["ab", "c"], states, np.array([[0, 0], [0, 1], [1, 2], [3, 4]]))[0].ravel().tolist()
    [2.0, 5.0]
    """
    starts = np.cumsum([0, *(len(word) + 1 for word in words)])
    filled = spans[:, 1] > spans[:, 0]
    word = np.searchsorted(starts, spans[filled, 0], side="right") - 1
    word = np.clip(word, 0, len(words) - 1)
    total = np.zeros((len(words), states.shape[1]), np.float64)
    np.add.at(total, word, states[filled])
    counts = np.bincount(word, minlength=len(words)) if len(word) else np.zeros(len(words), np.int64)
    means = total / np.maximum(counts, 1)[:, None]
    return means.astype(states.dtype), counts > 0
