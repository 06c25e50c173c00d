"""Pooling of inner layers and diagonal attention: hand values on states made up here, transformers, properties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.arrays import Ragged, normalise
from isogloss.encoders.diagonal_attention import DiagonalAttentionEncoder, TokenWeights
from isogloss.encoders.layers import LayerEncoder, LayerPools
from isogloss.encoders.text_memory import TextMemory
from isogloss.encoders.transformer import TransformerEncoder
from isogloss.errors import TruncationWarning, UsageError


class Letters:
    """A base whose token ``x`` has in layer l the state ``[l, code of x]`` and in head h the diagonal ``h + 1 + i``.

    A token of its own stands at both ends, with state ``[l, 0]``; ``passes`` counts the texts seen.
    """

    name, identity = "letters", "letters"

    def __init__(self):
        self.passes = 0

    def states(self, inputs, layers):
        self.passes += len(inputs)
        states, spans = [], []
        for text in inputs:
            codes = [0, *map(ord, text), 0]
            states.append(np.array([[[layer, code] for layer in layers] for code in codes], np.float32))
            spans.append(np.array([[0, 0], *([i, i + 1] for i in range(len(text))), [0, 0]], np.int64))
        return Ragged.from_list(states), Ragged.from_list(spans)

    def attention_diagonals(self, inputs, layers):
        maps = [np.arange(len(text) + 2)[:, None, None] + np.array([[1.0, 2.0]] * len(layers)) for text in inputs]
        return Ragged.from_list([one.astype(np.float32) for one in maps])


def test_hand_values_of_pooling():
    base = Letters()
    assert LayerEncoder(base, layers=(1, 3)).encode("bd").tolist() == [[2.0, (98 + 100) / 4]]
    inner = LayerEncoder(base, layers=(1,), special_tokens=False)
    assert inner.encode(["bd", ""]).tolist() == [[1.0, 99.0], [1.0, 0.0]]
    assert LayerEncoder(base, layers=(2,), pooling="max").encode("bd").tolist() == [[2.0, 100.0]]
    assert LayerEncoder(base, layers=(2,), pooling="first").encode("bd").tolist() == [[2.0, 0.0]]
    drawn = LayerEncoder(base, layers=(0,), pooling="any", special_tokens=False)
    assert {drawn.encode(text)[0, 1] for text in ("bd", "bbd", "bdd", "dbb", "ddb")} == {98.0, 100.0}
    assert drawn.encode("bd").tolist() == drawn.encode(["x", "bd"])[1:].tolist()
    joined = LayerEncoder(base, layers=(3, 4), pooling="first", combine="concat").encode("bd")
    assert joined.tolist() == [[1.0, 0.0, 1.0, 0.0]]


def test_hand_values_of_diagonal_attention():
    # head 0 of "bd" with both ends: weights 1 2 3 4 on 0 b d 0; without: 2 3 on b d
    base, settings = Letters(), {"layer": 0, "states": (1, 2)}
    whole = DiagonalAttentionEncoder(base, head=0, **settings).encode("bd")
    np.testing.assert_allclose(whole, [[1.5, (2 * 98 + 3 * 100) / 10]], rtol=1e-6)
    kept = TokenWeights(base, states=(1, 2), layers=(0,), special_tokens=False)
    np.testing.assert_allclose(
        DiagonalAttentionEncoder(kept, layer=0, head=1).encode("bd"), [[1.5, (3 * 98 + 4 * 100) / 7]], rtol=1e-6
    )
    uniform = DiagonalAttentionEncoder(kept, layer=0, head=1, weights="uniform").encode("bd")
    assert uniform.tolist() == [[1.5, 99.0]]


def test_one_pass_serves_every_layer_pooling_and_head():
    base = Letters()
    pools = LayerPools(base, layers=range(4))
    for layer in range(4):
        for pooling in ("mean", "first", "max"):
            LayerEncoder(pools, layers=(layer,), pooling=pooling).encode(["a", "bc", "a"])
    assert base.passes == 2
    kept = TokenWeights(base, layers=(0, 1))
    for head in (0, 1):
        DiagonalAttentionEncoder(kept, layer=1, head=head).encode(["a", "bc"])
    assert base.passes == 4


def test_a_memory_forgets_the_oldest_and_stays_right():
    asked = []

    def compute(texts):
        asked.extend(texts)
        return [(np.full(4, len(text), np.float32),) for text in texts]

    memory = TextMemory(compute, budget=40)  # room for two texts
    for text in ("a", "bb", "ccc", "a", "ccc"):
        assert memory.of([text])[0][0].tolist() == [len(text)] * 4
        assert memory.size <= 40
    assert asked == ["a", "bb", "ccc", "a"]
    assert [len(one[0]) for one in memory.of(["d", "ee", "fff", "gggg"])] == [4] * 4
    assert memory.size <= 40


@given(st.text("abcdef", min_size=1, max_size=12), st.integers(0, 99), st.integers(0, 1))
def test_permuted_weights_are_the_same_weights(text, seed, head):
    """A weighted mean lies among its tokens, and the permuted one needs another order only."""
    kept = TokenWeights(Letters(), states=(1,), layers=(0,), special_tokens=False)
    codes = np.array(sorted(map(ord, text)), float)
    weights = np.sort(np.arange(len(text)) + 2.0 + head)
    lowest = (codes * weights[::-1]).sum() / weights.sum()
    highest = (codes * weights).sum() / weights.sum()
    for kind in ("diagonal", "permuted"):
        value = DiagonalAttentionEncoder(kept, layer=0, head=head, weights=kind, seed=seed).encode(text)[0, 1]
        assert lowest - 1e-3 <= value <= highest + 1e-3
    if len(set(text)) == 1:
        assert value == pytest.approx(codes[0])


def test_wrong_settings_are_refused():
    base = Letters()
    pools = LayerPools(base, layers=(0, 1), poolings=("mean",))
    for wrong in (
        lambda: LayerEncoder(pools, layers=(2,)),
        lambda: LayerEncoder(pools, layers=(0,), pooling="max"),
        lambda: LayerEncoder(base, combine="sum"),
        lambda: LayerPools(base, layers=(0,), poolings=("median",)),
        lambda: LayerPools(base, layers=()),
        lambda: DiagonalAttentionEncoder(base, layer=0, head=0, weights="none"),
        lambda: DiagonalAttentionEncoder(base, layer=0, head=7).encode("a"),
        lambda: DiagonalAttentionEncoder(TokenWeights(base, layers=(0,)), layer=1, head=0),
    ):
        with pytest.raises(UsageError):
            wrong()


TEXTS = ["A wing in a slipstream.", "heat", "", "Tea is steeped at 80 degrees, they say, for a few minutes."]


def test_states_and_diagonals_are_those_of_transformers(minilm):
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    model = transformers.AutoModel.from_pretrained(minilm, attn_implementation="eager").eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(minilm)
    base = TransformerEncoder(minilm, threads=1)
    diagonals = base.attention_diagonals(TEXTS, [0, 4])
    encoder = LayerEncoder(base, layers=(1, 5), combine="concat").encode(TEXTS)
    weighted = DiagonalAttentionEncoder(base, layer=4, head=7, states=(1, 5)).encode(TEXTS)
    for i, text in enumerate(TEXTS):
        with torch.no_grad():
            out = model(**tokenizer(text, return_tensors="pt"), output_hidden_states=True, output_attentions=True)
        maps = [torch.diagonal(out.attentions[layer][0], dim1=1, dim2=2).numpy().T for layer in (0, 4)]
        np.testing.assert_allclose(diagonals[i], np.stack(maps, 1), atol=1e-5)
        low, high = (out.hidden_states[layer][0].numpy() for layer in (1, 5))
        pooled = [normalise(layer.mean(0)[None])[0] for layer in (low, high)]
        np.testing.assert_allclose(encoder[i], np.concatenate(pooled), atol=1e-4)
        expected = maps[1][:, 7] @ ((low + high) / 2) / maps[1][:, 7].sum()
        np.testing.assert_allclose(weighted[i], expected, atol=1e-4)
    whole = base.attentions(TEXTS[:1], [4])[0]
    np.testing.assert_allclose(np.diagonal(whole[0], axis1=1, axis2=2).T, diagonals[0][:, 1], atol=1e-6)


def test_a_cut_text_is_a_warning(minilm):
    base = TransformerEncoder(minilm, threads=1, max_length=8)
    with pytest.warns(TruncationWarning, match="1 of 2 texts"):
        LayerEncoder(base).encode(["word " * 20, "short"])
    assert len(base.attention_diagonals(["word " * 20], [0])[0]) == 8
