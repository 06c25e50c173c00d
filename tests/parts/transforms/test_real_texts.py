"""Transforms on real texts: sentences of two languages find each other, codes keep neighbours."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pytest

from isogloss.learners.vocabulary_counts import plain_words
from isogloss.transforms.alignment import Procrustes
from isogloss.transforms.canonical_correlation import CanonicalCorrelation
from isogloss.transforms.pairs import unit_rows

KEPT, HELD = 4500, 500


def _rows(path):
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def _space(texts, dimensions=100):
    """Vectors of one language by itself: counts of words, log-weighted, and their strongest directions."""
    sparse = pytest.importorskip("scipy.sparse")
    linalg = pytest.importorskip("scipy.sparse.linalg")
    numbers, rows, columns = {}, [], []
    for row, text in enumerate(texts):
        for word in plain_words(text):
            rows.append(row)
            columns.append(numbers.setdefault(word, len(numbers)))
    counts = sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), (len(texts), len(numbers)))
    seen = np.asarray((counts > 0).sum(0)).ravel()
    weighted = counts.multiply(np.log(len(texts) / seen)).tocsr()
    _, _, directions = linalg.svds(weighted, k=dimensions, v0=np.ones(min(weighted.shape)))
    return unit_rows(np.asarray(weighted @ directions.T))


@pytest.mark.slow
def test_translations_find_each_other(data):
    """English and German STS sentences, each language in a space of its own; only the training pairs join them."""
    english, german = (_rows(data(name) / file) for name, file in
                       (("sts-b", "train.jsonl.gz"), ("sts-b-multi", "de.train.jsonl.gz")))  # fmt: skip
    seen, kept = set(), []
    for one, other in zip(english, german, strict=True):
        if one["a"] not in seen:
            seen.add(one["a"])
            kept.append((one["a"], other["a"]))
    kept = [kept[i] for i in np.random.default_rng(0).permutation(len(kept))[: KEPT + HELD]]
    first, second = (_space([pair[side] for pair in kept]) for side in (0, 1))

    def found(mapping, targets):
        mapping.fit(first[:KEPT], targets)
        one, other = unit_rows(mapping.transform(first[KEPT:])), unit_rows(mapping.transform_target(second[KEPT:]))
        return ((one @ other.T).argmax(1) == np.arange(len(one))).mean()

    right = {type(one).__name__: found(one, second[:KEPT]) for one in (Procrustes(), CanonicalCorrelation())}
    wrong = np.random.default_rng(1).permutation(second[:KEPT])
    assert right["Procrustes"] > 0.3
    assert right["CanonicalCorrelation"] > 0.3
    assert found(CanonicalCorrelation(), wrong) < 0.02
