"""Texts through one vector, and hidden words, on a model of a few thousand weights: what is learned, and by what."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from isogloss.evaluation.neighbours import cosines  # noqa: E402
from isogloss.nn.transformer import Transformer, TransformerConfig  # noqa: E402
from isogloss.objectives.both_ways import nt_xent  # noqa: E402
from isogloss.objectives.composition import Composed  # noqa: E402
from isogloss.text.halves import halves  # noqa: E402
from isogloss.training.autoencoding import autoencoded, filled_in, told_by_vector  # noqa: E402
from isogloss.training.base_models._artifact import Pretrained, load_masked, masked_predictor  # noqa: E402
from isogloss.training.batching import TextBatches  # noqa: E402
from isogloss.training.masked_anchors import MaskedAnchors, contrasted  # noqa: E402
from isogloss.training.masked_model import hiding  # noqa: E402
from isogloss.training.tokenizer_learning import word_pieces  # noqa: E402

WORDS = ["river", "bridge", "stone", "winter", "spring", "house", "settler", "road", "mill", "horse", "field", "market"]
TEXTS = [" ".join(np.random.default_rng(i).choice(WORDS, 5, replace=False)) for i in range(48)]
QUICK = {"batch_size": 16, "learning_rate": 1e-2}
WRITING = {"steps": 240, "deleted": 0.3, **QUICK}


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    tokenizer, folder = word_pieces(TEXTS, 120), tmp_path_factory.mktemp("base")
    torch.manual_seed(0)
    sizes = {"vocabulary": tokenizer.get_vocab_size(), "width": 32, "layers": 1, "heads": 2, "inner": 64}
    body = Transformer(TransformerConfig(**sizes, positions=32, dropout=0.0))
    Pretrained(masked_predictor(body), tokenizer, 32).save(folder)
    return load_masked(folder)


@pytest.fixture(scope="module")
def written(base):
    return autoencoded(base.fresh(), TEXTS, seed=3, **WRITING)


def test_the_vector_comes_to_tell_the_words(base, written):
    before, after = told_by_vector(base, TEXTS).mean(), told_by_vector(written, TEXTS)
    assert after.shape == (48,)
    assert abs(before) < 0.1
    assert after.mean() > before + 0.1


def test_without_the_vector_it_tells_nothing(base, written):
    blind = autoencoded(base.fresh(), TEXTS, seed=3, blind=True, **WRITING)
    assert told_by_vector(blind, TEXTS).mean() < told_by_vector(written, TEXTS).mean() - 0.1
    assert not np.allclose(blind.encode(TEXTS[:4]), base.encode(TEXTS[:4]), atol=1e-3)  # and learned all the same


def test_a_seed_repeats_and_the_base_stays(base):
    before = base.encode(TEXTS[:4])
    one, again, other = (autoencoded(base.fresh(), TEXTS, seed=seed, steps=10, **QUICK) for seed in (3, 3, 4))
    assert np.array_equal(again.encode(TEXTS), one.encode(TEXTS))
    assert not np.allclose(other.encode(TEXTS), one.encode(TEXTS), atol=1e-3)
    assert np.array_equal(base.encode(TEXTS[:4]), before)


@pytest.mark.parametrize("how", [autoencoded, filled_in])
def test_the_table_can_rest(base, how):
    one, two = (how(base.fresh(), TEXTS, steps=4, table=table, **QUICK) for table in (False, True))
    table = base.predictor.table
    assert torch.equal(one.predictor.table, table)
    assert not torch.equal(two.predictor.table, table)
    assert all(weights.requires_grad for weights in one.predictor.parameters())


def test_hidden_words_cost_less_where_they_were_practised(base):
    order = ["river bridge stone winter spring", "house settler road mill horse"] * 8
    practised = filled_in(base.fresh(), order, steps=120, hidden=0.3, **QUICK)
    before, after = (model.nll(order)[0].sum() for model in (base, practised))
    assert after < 0.7 * before


def test_spans_and_hidden_words_at_once(base):
    columns = [TEXTS, *halves(TEXTS)]
    one, again = (
        contrasted(base.fresh(), columns, Composed(inner=nt_xent()), steps=80, seed=1, **QUICK) for _ in range(2)
    )
    assert np.array_equal(one.encode(TEXTS[:4]), again.encode(TEXTS[:4]))

    def nearer(model):
        """Say how much nearer a text is to its own second half than to that of any text."""
        found = cosines(model.encode(TEXTS), model.encode(columns[2]))
        return np.diag(found).mean() - found.mean()

    assert nearer(one) > nearer(base) + 0.2
    assert one.nll(TEXTS)[0].sum() < base.nll(TEXTS)[0].sum()


def test_anchors_are_hidden_and_spans_are_not(base):
    texts = TextBatches([TEXTS, TEXTS[::-1]], base.tokenizer, batch_size=8, seed=0)
    batches = MaskedAnchors(texts, hiding(base.tokenizer.tokenizer, share=0.3), seed=5)
    batch, plain = batches(7), texts(7)
    hidden = batch.extra["targets"].ids != -100
    assert torch.equal(torch.where(hidden, batch.extra["targets"].ids, batch.columns[0].ids), plain.columns[0].ids)
    assert not torch.equal(batch.columns[0].ids, plain.columns[0].ids)
    assert torch.equal(batch.columns[1].ids, plain.columns[1].ids)
    assert torch.equal(batches(7).columns[0].ids, batch.columns[0].ids)
    assert 0.1 < hidden.float().mean() < 0.35  # of the tokens between the marks
    assert batches.per_epoch == texts.per_epoch
