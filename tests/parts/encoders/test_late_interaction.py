"""Token encoders: which tokens stay, and that their mean is what the base would have pooled."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from isogloss.arrays import Similarity, normalise
from isogloss.encoders.late_interaction import TokenVectorEncoder
from isogloss.encoders.static import bundled_static
from isogloss.encoders.transformer import TransformerEncoder
from isogloss.errors import TruncationWarning
from isogloss.transforms.projection import PCA

TEXTS = ["A wing in a propeller slipstream.", "Zebras zigzag; \u00e9tude 日本", "heat"]


def test_static_states_are_what_is_averaged():
    static = bundled_static()
    states, spans = static.states(TEXTS, [0])
    pooled = normalise(np.stack([one[:, 0].mean(0) for one in states]))
    np.testing.assert_allclose(pooled, static.encode(TEXTS), atol=1e-5)
    first = [TEXTS[0][start:stop] for start, stop in spans[0]]
    assert "".join(first) == TEXTS[0].replace(" ", "")
    assert static.states(TEXTS, [0, -1])[0].values.shape[1] == 2
    with pytest.raises(IndexError, match="layer 0"):
        static.states(TEXTS, [1])


def test_all_tokens_or_those_of_the_text(minilm: Path):
    base = TransformerEncoder(minilm, threads=1)
    whole = TokenVectorEncoder(base, special_tokens=True, normalised=False).encode(TEXTS)
    own = TokenVectorEncoder(base, normalised=False).encode(TEXTS)
    assert [len(a) - len(b) for a, b in zip(whole, own, strict=True)] == [2, 2, 2]
    pooled = normalise(np.stack([one.mean(0) for one in whole]))
    np.testing.assert_allclose(pooled, base.encode(TEXTS), atol=1e-5)
    np.testing.assert_array_equal(whole[0][1:-1], own[0])
    assert TokenVectorEncoder(base).encode([""])[0].shape == (2, 384)  # nothing else is left


def test_transforms_work_on_tokens():
    static = bundled_static()
    plain = TokenVectorEncoder(static, layer=0, normalised=False)
    pca = PCA(dimensions=16).fit(plain.encode(TEXTS * 10).values)
    reduced = TokenVectorEncoder(static, layer=0, transform=pca)
    values = reduced.encode(TEXTS).values
    np.testing.assert_allclose(values, normalise(pca.transform(plain.encode(TEXTS).values)), atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(values, axis=1), 1, atol=1e-5)
    assert (reduced.dimensions, reduced.similarity) == (16, Similarity.MAXSIM)


def test_instructions_and_cuts_are_counted(minilm: Path):
    base = TransformerEncoder(minilm, threads=1, max_length=8)
    tokens = TokenVectorEncoder(base)
    assert len(tokens.encode(["heat"], instruction="query: ")[0]) == len(tokens.encode(["query: heat"])[0])
    with pytest.warns(TruncationWarning, match="1 of 2 texts"):
        found = tokens.encode(["word " * 50, "short"])
    assert len(found[0]) == 6
