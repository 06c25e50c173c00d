"""Parameters in the space of tokens: by hand, by brute force, and MiniLM's own weights through another reader."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.encoders.names import load_encoder
from isogloss.errors import UsageError
from isogloss.evaluation.vocabulary_space import feed_forward, shared_tokens, top_tokens


def test_a_planted_value_names_its_token():
    words = np.random.default_rng(0).standard_normal((50, 16))
    values = np.random.default_rng(1).standard_normal((3, 16)) * 0.1
    values[1] += words[17]
    assert 17 in top_tokens(values, words, 5)[1]
    assert top_tokens(values, words, 1)[1].tolist() == [(words @ values[1]).argmax()]
    with pytest.raises(UsageError, match="51 tokens cannot be named"):
        top_tokens(values, words, 51)


@given(st.integers(0, 1000), st.integers(1, 6))
def test_shares_are_those_of_sets(seed, k):
    rng = np.random.default_rng(seed)
    first, second = (np.stack([rng.permutation(9)[:k] for _ in range(n)]) for n in (4, 3))
    expected = [[len({*one.tolist()} & {*other.tolist()}) / k for other in second] for one in first]
    np.testing.assert_allclose(shared_tokens(first, second, 9), expected)


def test_parameters_are_those_of_the_file(minilm):
    stored = pytest.importorskip("safetensors.numpy").load_file(minilm / "model.safetensors")
    found = feed_forward(load_encoder(str(minilm), threads=1))
    assert found.keys.shape == found.values.shape == (6, 1536, 384)
    np.testing.assert_array_equal(found.words, stored["embeddings.word_embeddings.weight"])
    np.testing.assert_array_equal(found.keys[2, 7], stored["encoder.layer.2.intermediate.dense.weight"][7])
    np.testing.assert_array_equal(found.values[5, 9], stored["encoder.layer.5.output.dense.weight"][:, 9])
