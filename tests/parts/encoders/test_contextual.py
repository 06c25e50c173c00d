"""Late chunking: owners by hand, agreement with plain encoding, windows."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.arrays import Ragged
from isogloss.encoders.contextual import _owners, late_chunks
from isogloss.encoders.transformer import TransformerEncoder
from isogloss.errors import UsageError


class Letters:
    """Every character is a token, its state its code and its position in the text: all can be done by hand."""

    dimensions = 2
    window = 8
    tokenizer = SimpleNamespace(before=1, after=1)

    def __init__(self):
        self.seen = []
        self.tokenizer = lambda texts: SimpleNamespace(full=np.array([len(text) + 2 for text in texts]))
        self.tokenizer.before = self.tokenizer.after = 1

    def states(self, inputs, layers):
        self.seen.extend(inputs)
        states, spans = [], []
        for text in inputs:
            rows = [[0, 0], *[[ord(c), i] for i, c in enumerate(text)], [0, 0]]
            states.append(np.array(rows, np.float32)[:, None])
            spans.append(np.array([(0, 0), *[(i, i + 1) for i in range(len(text))], (0, 0)]))
        return Ragged.from_list(states), Ragged.from_list(spans)


def test_by_hand_without_special_tokens():
    found = late_chunks(Letters(), ["abcd"], [[(0, 1), (2, 4)]], special_tokens=False, normalised=False)
    # "b" begins after the first span began and before the second: it belongs to the first
    assert found[0].tolist() == [[97.5, 0.5], [99.5, 2.5]]


def test_special_tokens_belong_to_the_ends():
    places = np.array([(0, 0), (0, 2), (2, 4), (0, 0)])
    assert _owners(places, [(0, 2), (2, 4)], special=True).tolist() == [0, 0, 1, 1]
    assert _owners(places, [(0, 2), (2, 4)], special=False).tolist() == [-1, 0, 1, -1]


@given(st.lists(st.integers(1, 4), min_size=1, max_size=8), st.integers(0, 4))
def test_every_token_has_one_owner_and_every_span_one_window(lengths, overlap):
    ends = np.cumsum(lengths).tolist()
    spans = list(zip([0, *ends[:-1]], ends, strict=True))
    encoder = Letters()
    text = "".join(chr(97 + i % 26) for i in range(ends[-1]))
    found = late_chunks(encoder, [text], [spans], overlap=overlap, special_tokens=False, normalised=False)
    assert found[0].shape == (len(spans), 2)
    # whatever the windows are, the mean code of a span's own characters does not change
    expected = [np.mean([ord(c) for c in text[start:stop]]) for start, stop in spans]
    np.testing.assert_allclose(found[0][:, 0], expected, rtol=1e-5)
    assert all(len(piece) + 2 <= encoder.window for piece in encoder.seen)


def test_windows_repeat_context():
    encoder = Letters()
    late_chunks(encoder, ["abcdefgh"], [[(0, 4), (4, 6), (6, 8)]], overlap=2)
    assert encoder.seen == ["abcdef", "efgh"]


@pytest.mark.parametrize("spans", [[(0, 0)], [(0, 3), (2, 4)], [(0, 9)], [(3, 2)]])
def test_spans_that_do_not_fit_are_refused(spans):
    with pytest.raises(UsageError, match="span"):
        late_chunks(Letters(), ["abcd"], [spans])


def test_a_chunk_longer_than_the_window_is_refused():
    with pytest.raises(UsageError, match="longer than the encoder's window"):
        late_chunks(Letters(), ["abcdefghij"], [[(0, 9), (9, 10)]])


def test_no_text_and_no_span():
    assert len(late_chunks(Letters(), [], [])) == 0
    assert late_chunks(Letters(), ["abc"], [[]])[0].shape == (0, 2)


def test_a_window_of_one_span_is_the_plain_vector(minilm: Path):
    encoder = TransformerEncoder(minilm, threads=1)
    texts = ["A wing in a slipstream.", "Heat conduction in composite slabs, at 300 degrees."]
    found = late_chunks(encoder, texts, [[(0, len(text))] for text in texts])
    np.testing.assert_allclose(found.values, encoder.encode(texts), atol=1e-5)


def test_context_changes_a_span_and_only_by_context(minilm: Path):
    encoder = TransformerEncoder(minilm, threads=1)
    one, other = "Berlin is a city. It has lakes.", "Oslo is a city. It has lakes."
    first, second = (late_chunks(encoder, [text], [[(0, text.index("It")), (text.index("It"), len(text))]])[0]
                     for text in (one, other))  # fmt: skip
    plain = encoder.encode(["It has lakes."])[0]
    berlin, oslo = encoder.encode(["Berlin", "Oslo"])
    assert first[1] @ berlin - first[1] @ oslo > plain @ berlin - plain @ oslo + 0.1
    assert second[1] @ oslo - second[1] @ berlin > plain @ oslo - plain @ berlin + 0.1
