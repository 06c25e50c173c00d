"""tiny-s2s: what it learns from, that it repeats, and that admission tells whether a model reads."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from isogloss.errors import CorpusError  # noqa: E402
from isogloss.training.base_models import tiny_s2s  # noqa: E402

TEXTS = ["The cat sat on the mat and slept all day long.", "Heat flows from warm to cold through thin slabs."] * 8


class Material:
    """The same few lines for everything."""

    def texts(self, name, part=None):
        return TEXTS


@pytest.fixture(scope="module")
def made(minilm):
    return tiny_s2s.build(TEXTS, seed=3, steps=2, base=str(minilm))


def test_it_repeats_and_changes_the_marks_alone_in_what_reads(made, minilm):
    again, other = (tiny_s2s.build(TEXTS, seed=seed, steps=2, base=str(minilm)) for seed in (3, 4))
    first = made.model.layers[0].up.weight
    assert torch.equal(first, again.model.layers[0].up.weight)
    assert not torch.equal(first, other.model.layers[0].up.weight)
    ours, theirs = made.model.encoder.state_dict(), tiny_s2s.load_trainable(minilm).model.transformer.state_dict()
    table = "embeddings.word.weight"
    assert all(torch.equal(value, theirs[name]) for name, value in ours.items() if name != table)
    changed = (ours[table] != theirs[table]).any(1).nonzero()[:, 0]
    assert changed.tolist() == list(tiny_s2s.SENTINELS)
    near = torch.cosine_similarity(ours[table][1:33], theirs[table][103][None])
    assert (near > 0.75).all()
    assert (near < 0.98).all()


def test_a_source_and_its_target_are_the_whole_text(made):
    sources, targets = tiny_s2s.pairs(TEXTS, made.pieces, 16, 0)
    known = {tuple(row.tolist()) for row in made.pieces.ids(TEXTS)}
    for source, target in zip(sources, targets, strict=True):
        assert (source[0], source[-1], target[-1]) == (101, 102, 102)
        spans, number = {}, None
        for token in target[:-1].tolist():
            number = token if token in tiny_s2s.SENTINELS else number
            spans.setdefault(number, []).extend([] if token == number else [token])
        whole = [one for token in source[1:-1].tolist() for one in spans.get(token, [token])]
        assert tuple(whole) in known
    with pytest.raises(CorpusError, match="none of 1"):
        tiny_s2s.pairs(["too short"], made.pieces, 6, 0)


def test_words_alone_are_paid_for(made):
    """With all weights zero each word costs the log of the number of outputs; marks and the end cost nothing."""
    model = tiny_s2s.TextToText.over(tiny_s2s.load_trainable("minilm"), seed=0)
    for parameter in model.model.parameters():
        parameter.data.zero_()
    words = [np.array([False, True, True, False])]
    nats = tiny_s2s._nats(model, [np.array([101, 1, 102])], [np.array([1, 2054, 2003, 102])], words)
    assert nats.tolist() == pytest.approx([2 * math.log(len(model.model.bias))], rel=1e-5)
    assert tiny_s2s._bytes(made.pieces, np.array([made.pieces.numbers["##ing"], made.pieces.numbers["cat"]])) == 6


def test_a_model_that_does_not_read_is_refused(made):
    """Where nothing of the source reaches the decoder, another source serves as well, and so does none."""
    deaf = copy.deepcopy(made)
    for parameter in deaf.model.layers[0].cross_out.parameters():
        parameter.data.zero_()
    found = tiny_s2s.admit(deaf, Material())
    own, others = found.measured["bits per byte"], (found.measured[f"after {one} text"] for one in ("another", "no"))
    assert all(own == pytest.approx(other, rel=1e-4) for other in others)
    assert tiny_s2s.CLAIMS[1] in found.failed
    assert tiny_s2s.CLAIMS[1] not in tiny_s2s.admit(made, Material()).failed
