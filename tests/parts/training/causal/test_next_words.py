"""Sparse vectors from the logits of the next word."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from isogloss.errors import UsageError  # noqa: E402
from isogloss.nn.packing import pack  # noqa: E402
from isogloss.protocols import EncodeReport  # noqa: E402
from isogloss.training.causal_models import Wanted  # noqa: E402
from isogloss.training.causal_prompts import Prompt  # noqa: E402
from isogloss.training.next_words import NextWordEncoder, WordChoice, saturated  # noqa: E402

ASK = Prompt.of("{text} in one word :")
TEXTS = ["red dogs run", "The GREEN cats of cats", "the of", "", "unusual dogs"]


def logits(model, text):
    ids = np.array([*model.begin, *model.tokenizer.encode(ASK.filled(text)).ids])
    return model(pack([ids]), Wanted(logits=True)).logits[0].numpy()


def rows(vectors):
    return [dict(zip(*(part.tolist() for part in vectors.row(i)), strict=True)) for i in range(len(vectors))]


def test_weights_by_hand(model):
    found = rows(NextWordEncoder(model, ASK).encode(TEXTS))
    token = model.tokenizer.token_to_id
    # "the" and "of" are function words; capitals are lowered before the words are looked up
    own = [("red", "dogs", "run"), ("green", "cats"), (), (), ("un", "##usual", "dogs")]
    for text, words, row in zip(TEXTS, own, found, strict=True):
        said = logits(model, text)
        weights = {token(word): round(100 * np.log1p(max(float(said[token(word)]), 0))) for word in words}
        assert row == {number: weight for number, weight in weights.items() if weight}
    assert any(found)


def test_choices(model):
    first = NextWordEncoder(model, ASK, choice=WordChoice(pieces="first", scale=0))
    token = model.tokenizer.token_to_id
    assert token("##usual") not in first._own("unusual")
    assert first._own("unusual").tolist() == [token("un")]
    free = NextWordEncoder(model, ASK, choice=WordChoice(own=False, top=3, scale=0))
    whole = [model.tokenizer.id_to_token(int(number)) for number in free.whole_words]
    assert whole == ["means", "one", "word", "red", "green", "blue", "dogs", "cats", "run", "sleep", "un"]
    row = rows(free.encode("red"))[0]
    said = logits(model, "red")
    best = sorted((int(number) for number in free.whole_words), key=lambda number: -said[number])[:3]
    assert set(row) == {number for number in best if said[number] > 0}
    assert all(row[number] == pytest.approx(np.log1p(said[number]), rel=1e-4) for number in row)
    anything = NextWordEncoder(model, ASK, choice=WordChoice(language=None))
    assert len(anything._own("the of")) == 2


def test_centred_logits_are_those_beyond_the_mean_of_all_tokens(model):
    found = rows(NextWordEncoder(model, ASK, choice=WordChoice(centred=True, scale=0)).encode("red dogs run"))[0]
    beyond = logits(model, "red dogs run")
    beyond = beyond - beyond.mean()
    own = [model.tokenizer.token_to_id(word) for word in ("red", "dogs", "run")]
    assert found == pytest.approx({n: float(np.log1p(beyond[n])) for n in own if beyond[n] > 0}, rel=1e-3)


def test_both_from_one_pass_are_those_of_each(model):
    encoder = NextWordEncoder(model, ASK)
    report = EncodeReport()
    dense, sparse = encoder.both(TEXTS, report=report)
    np.testing.assert_allclose(dense, encoder.heads["dense"].encode(TEXTS), atol=1e-6)
    assert rows(sparse) == rows(encoder.heads["sparse"].encode(TEXTS)) == rows(encoder.encode(TEXTS))
    assert report.texts == len(TEXTS)
    assert sparse.shape == (5, model.vocabulary)
    assert encoder.both([])[0].shape == (0, model.width)


def test_logits_of_several_prompts_are_averaged_before_they_are_saturated(model):
    other = Prompt.of("the word {text} is")
    choice = WordChoice(scale=0)
    found = rows(NextWordEncoder(model, [ASK, other], choice=choice).encode("red dogs run"))[0]
    ids = np.array([*model.begin, *model.tokenizer.encode(other.filled("red dogs run")).ids])
    mean = (logits(model, "red dogs run") + model(pack([ids]), Wanted(logits=True)).logits[0].numpy()) / 2
    own = [model.tokenizer.token_to_id(word) for word in ("red", "dogs", "run")]
    assert found == pytest.approx({n: float(np.log1p(mean[n])) for n in own if mean[n] > 0}, rel=1e-4)


@given(
    st.lists(st.floats(-9, 9, width=32), min_size=1, max_size=40),
    st.integers(1, 12),
    st.sampled_from([0.0, 100.0]),
    st.data(),
)
def test_saturation_keeps_the_largest_of_the_allowed(values, top, scale, data):
    said = np.array(values, np.float32)
    allowed = np.array(sorted(data.draw(st.sets(st.integers(0, len(said) - 1)))), np.int64)
    columns, weights = saturated(said, allowed, top=top, scale=scale)
    assert set(columns) <= set(allowed)
    assert len(columns) <= top
    assert (weights > 0).all()
    assert (np.diff(columns) > 0).all()
    left = np.setdiff1d(allowed, columns)
    if len(columns) == top and len(left):
        assert said[left].max() <= said[columns].min()
    exact = np.log1p(said[columns].astype(np.float64))
    np.testing.assert_allclose(weights, np.rint(scale * exact) if scale else exact, rtol=1e-6)


def test_wrong_choices_are_said():
    for wrong in ({"top": 0}, {"scale": -1.0}, {"pieces": "last"}):
        with pytest.raises(UsageError, match="cannot be chosen"):
            WordChoice(**wrong)
