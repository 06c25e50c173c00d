"""Candidates that are fitted in seconds, without torch: linear maps, token weights, a model of the documents alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from isogloss.encoders.static import StaticEncoder
from isogloss.learners.cooccurrence import PpmiSvd
from isogloss.learners.vocabulary_counts import count_words
from isogloss.protocols import Record
from isogloss.workflows.adapting.linear_maps import MAPS, rebuilt
from isogloss.workflows.adapting.workbench import Candidate, Workbench
from isogloss.workflows.learning import LARGEST, WINDOW, encoder_of

RARITY = (0.25, 0.5, 1.0)
"""Powers of a token's rarity that its vector is weighted by."""
DIMENSIONS = 256


def try_maps(bench: Workbench) -> list[Candidate]:
    """Let the base's vectors go through every linear map."""
    return [bench.mapped(bench.base, name) for name in MAPS]


def try_rarity(bench: Workbench) -> list[Candidate]:
    """Weight the base's token vectors by how rare each token is in the documents that teach."""
    return weighted_by_rarity(bench, bench.base)


def weighted_by_rarity(bench: Workbench, model: Candidate) -> list[Candidate]:
    """Weight a static candidate's token vectors by rarity, at several powers."""
    assert model.encoder is not None
    before = "" if model is bench.base else f"{model.name}, "
    found = []
    for power in RARITY:
        made = rarer(model.encoder, texts_of(bench.material.train), power)
        one = bench.of_static(f"{before}tokens weighted by rarity^{power:g}", "rarity", made)
        one.seconds, one.facts = model.seconds, {**model.facts, "rarity": power}
        found.append(one)
    return found


def rarer(encoder: StaticEncoder, texts: Sequence[str], power: float) -> StaticEncoder:
    """Multiply each token's vector by its rarity ``log(1 + n / texts with it)`` to a power, one on average.

    Tokens that no text has get the weight of one that a single text has.

    Examples
    --------
    >>> from isogloss.encoders.static import bundled_static
    >>> rarer(bundled_static(), ["a dog", "a cat"], 1.0).dimensions
    256
    """
    tokens = encoder.pieces.ids(texts)
    rows = np.repeat(np.arange(len(texts)), np.diff(tokens.offsets))
    pairs = np.unique(np.stack([tokens.values.astype(np.int64), rows]), axis=1)  # (2, distinct)
    held = np.bincount(pairs[0], minlength=len(encoder.vectors.rows))
    weights = np.log1p(len(texts) / np.maximum(held, 1)) ** power
    used = held > 0
    weights /= np.average(weights[used], weights=held[used]) if used.any() else 1.0
    table = encoder.vectors.rows.astype(np.float32) * encoder.vectors.weights[:, None]  # (V, d)
    return rebuilt(encoder, np.asarray(table * weights[:, None], np.float32))


def try_learned(bench: Workbench) -> list[Candidate]:
    """Learn a static model from the documents alone: factored counts of neighbours."""
    texts = texts_of(bench.material.train)
    corpus = count_words(texts, min_count=2, largest=LARGEST)
    if len(corpus.words) < 2:
        return []
    size = min(DIMENSIONS, len(corpus.words))
    table = PpmiSvd(dimensions=size, window=WINDOW).fit(corpus, seed=bench.order.seed, progress=bench.progress)
    return [bench.of_static("learned from the documents alone", "learned", encoder_of(table, "learned"))]


def texts_of(records: Sequence[Record]) -> list[str]:
    """Return title and text of each document."""
    return [f"{record.title}\n{record.text}".strip() for record in records]
