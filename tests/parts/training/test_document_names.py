"""Names learned over a frozen encoder: looked-up states are the encoder's, and what was learned is found again."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from isogloss.errors import UsageError  # noqa: E402
from isogloss.generation.generative_search import GenerativeSearcher  # noqa: E402
from isogloss.nn.packing import pack  # noqa: E402
from isogloss.protocols import Record  # noqa: E402
from isogloss.training.document_names import NamingTexts  # noqa: E402
from isogloss.training.models import keep_layers, load_trainable  # noqa: E402
from isogloss.training.sequence_batches import FrozenSources, SequenceBatches  # noqa: E402
from isogloss.transforms.document_ids import atomic_ids, digit_ids  # noqa: E402

TEXTS = [
    "cats sleep most of the day",
    "heat flows from warm to cold",
    "a wing in the slipstream",
    "files of an archive",
]


@pytest.fixture(scope="module")
def texts(minilm):
    return NamingTexts(keep_layers(load_trainable(minilm), range(1)), [*TEXTS, TEXTS[0]], longest=12)


def test_looked_up_logits_are_those_of_the_whole_model(texts):
    exact = FrozenSources(texts.encoder, texts.template(text=TEXTS))
    model = texts.learn(TEXTS, digit_ids(4, base=2), steps=1, seed=0)
    rows = SequenceBatches(exact.rows, [np.array(name) for name in digit_ids(4, base=2)], batch_size=4, seed=1)
    tokens = SequenceBatches(texts.template(text=TEXTS), rows.targets, batch_size=4, seed=1)
    with torch.no_grad():
        looked_up, whole = exact.logits(model, rows(0)), model(*tokens(0).columns)
    assert torch.allclose(looked_up, whole, atol=1e-4)
    nearly = texts.sources.states[texts.sources.rows[1]]
    assert torch.nn.functional.cosine_similarity(nearly, exact.states[exact.rows[1]]).min() > 0.999


def test_the_encoder_stays_and_the_decoder_learns_the_names(texts):
    before = {name: value.clone() for name, value in texts.encoder.state_dict().items()}
    model = texts.learn(TEXTS, atomic_ids(4), steps=30, seed=0, batch_size=4, learning_rate=2e-3)
    assert all(torch.equal(value, before[name]) for name, value in texts.encoder.state_dict().items())
    records = [Record(f"d{i}", text) for i, text in enumerate(TEXTS)]
    searcher = GenerativeSearcher(model, texts.read, records, atomic_ids(4))
    assert [answer.hits[0].document for answer in searcher.search(TEXTS, k=1)] == ["d0", "d1", "d2", "d3"]
    again = texts.learn(TEXTS, atomic_ids(4), steps=30, seed=0, batch_size=4, learning_rate=2e-3)
    other = texts.learn(TEXTS, atomic_ids(4), steps=30, seed=1, batch_size=4, learning_rate=2e-3)
    assert torch.equal(model.bias, again.bias)
    assert not torch.equal(model.bias, other.bias)


def test_vectors_are_means_and_equal_texts_are_read_once(texts):
    vectors = texts.vectors([TEXTS[2], TEXTS[0]])
    with torch.no_grad():
        states = texts.encoder(pack(texts.template(text=[TEXTS[2]])))
    assert np.allclose(vectors[0], states.mean(0).numpy(), atol=0.02)
    assert len(texts.sources.rows) == 4
    assert vectors.shape == (2, 384)


def test_what_cannot_be_learned_is_refused(texts, minilm):
    for call, says in (
        (lambda: texts.learn(["new"], [(0,)], steps=1, seed=0), "1 of 1, such as 'new'"),
        (lambda: texts.learn(TEXTS, [(0,)], steps=1, seed=0), "4 texts, 1 names"),
        (lambda: texts.learn(TEXTS[:1], [()], steps=1, seed=0), "empty"),
        (lambda: NamingTexts(load_trainable(minilm), []), "0 texts"),
    ):
        with pytest.raises(UsageError, match=says):
            call()
