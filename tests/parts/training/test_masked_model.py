"""Masked and causal base models by small numbers: what is hidden, what it costs, what is saved, what is refused."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tokenizers import Tokenizer, models  # noqa: E402

from isogloss.errors import CorpusError, UsageError  # noqa: E402
from isogloss.nn.transformer import Transformer, TransformerConfig, relative_buckets  # noqa: E402
from isogloss.protocols import Silent  # noqa: E402
from isogloss.training.base_models import _admission, _minilm, _text, minilm_3, minilm_mlm  # noqa: E402
from isogloss.training.base_models import _pretraining as pretraining  # noqa: E402
from isogloss.training.base_models._artifact import (  # noqa: E402
    Pretrained,
    causal_predictor,
    load_causal,
    load_masked,
    masked_predictor,
)  # fmt: skip
from isogloss.training.base_models._pretraining import pretrain_causal, pretrain_masked  # noqa: E402
from isogloss.training.masked_model import hiding  # noqa: E402
from isogloss.training.models import load_trainable  # noqa: E402
from isogloss.training.tokenizer_learning import byte_pairs, word_pieces  # noqa: E402

LINES = [
    "The first settlers came down the river in spring and built three houses of stone near the old bridge.",
    "The river froze in winter, and the houses of the settlers stood empty until the spring came back.",
    "Three bridges of stone crossed the river; the first of them was built by settlers in the old winter.",
] * 4
SIZES = {"vocabulary": 300, "width": 32, "layers": 2, "heads": 2, "inner": 64, "positions": 64, "dropout": 0.0}


class Material:
    """The same few lines for everything."""

    def texts(self, name, part=None):
        return LINES


def masked(tmp_path, *, steps=0, seed=0):
    tokenizer = word_pieces(LINES, 300)
    torch.manual_seed(seed)
    sizes = SIZES | {"vocabulary": tokenizer.get_vocab_size()}
    predictor = masked_predictor(Transformer(TransformerConfig(**sizes)))
    if steps:
        pretrain_masked(
            predictor, tokenizer, LINES, steps=steps, rate=3e-3, window=64, seed=seed, progress=Silent()
        )  # fmt: skip
    Pretrained(predictor, tokenizer, 64).save(tmp_path)
    return load_masked(tmp_path)


def causal(tmp_path, *, steps=0, seed=0):
    tokenizer = byte_pairs(LINES, 300)
    torch.manual_seed(seed)
    sizes = SIZES | {"vocabulary": tokenizer.get_vocab_size(), "causal": True, "norm_first": True, "types": 0}
    predictor = causal_predictor(Transformer(TransformerConfig(**sizes)))
    if steps:
        pretrain_causal(
            predictor, tokenizer, LINES, steps=steps, rate=3e-3, window=64, seed=seed, progress=Silent()
        )  # fmt: skip
    Pretrained(predictor, tokenizer, 64).save(tmp_path)
    return load_causal(tmp_path)


def test_a_model_without_weights_pays_for_every_token_alike(tmp_path):
    """With all weights zero each hidden token costs the log of the vocabulary's size."""
    model = masked(tmp_path)
    for parameter in model.predictor.parameters():
        parameter.data.zero_()
    nats, sizes = model.nll(LINES[:3])
    targets = [(model.hidden([row], [LINES[owner]])[1] != -100).sum().item()
               for row, owner in zip(*[model.windows(LINES[:3])[i] for i in (0, 2)], strict=True)]  # fmt: skip
    cost = math.log(model.tokenizer.tokenizer.get_vocab_size())
    assert nats.tolist() == pytest.approx([count * cost for count in targets], rel=1e-5)
    assert (sizes > 0).all()
    assert (sizes <= [len(line.encode()) for line in LINES[:3]]).all()


def test_the_same_tokens_are_hidden_in_any_batch(tmp_path):
    model = masked(tmp_path, steps=2)
    together = model.nll([*LINES[:3], "", "ünïcödé " * 40])
    alone = [model.nll([line]) for line in [*LINES[:3], "", "ünïcödé " * 40]]
    assert together[0].tolist() == pytest.approx([float(nats[0]) for nats, _ in alone], rel=1e-4)
    assert together[1].tolist() == [int(size[0]) for _, size in alone]
    assert (together[0][3], together[1][3]) == (0.0, 0)


def test_hidden_bytes_are_those_of_the_hidden_tokens(tmp_path):
    model = masked(tmp_path)
    text = "the river the river the river the river"
    rows, sizes, _ = model.windows([text])
    hidden = model.hidden(rows, [text])[1].numpy() != -100
    assert model.nll([text])[1][0] == sizes[0][hidden].sum()
    assert sizes[0].sum() == len(text) - 7  # spaces belong to no token


@pytest.mark.parametrize("make", [masked, causal])
def test_training_lowers_the_cost_and_repeats(make, tmp_path):
    for name in ("a", "b", "c", "new"):
        (tmp_path / name).mkdir()
    first, again, other = (make(tmp_path / name, steps=60, seed=seed) for name, seed in (("a", 0), ("b", 0), ("c", 1)))
    new = make(tmp_path / "new")
    cost = [_admission.bits(*model.nll(LINES[:3])) for model in (first, again, other, new)]
    assert cost[0] == cost[1] != cost[2]
    assert cost[0] < 0.7 * cost[3]
    assert first.identity == again.identity != other.identity
    copy = first.fresh()
    copy.predictor.body.embeddings.word.weight.data.add_(1)
    assert _admission.bits(*first.nll(LINES[:3])) == cost[0]


def test_admission_refuses_a_new_model_and_counts_tokens_right(tmp_path):
    model = causal(tmp_path)
    found = _admission.admit_causal(model, Material())
    assert found.failed == ("bits per byte at least 15 % below the unigram model's",)
    counts = np.zeros(model.tokenizer.get_vocab_size())
    ids = [i for line in _text.learned(Material()) for i in model.tokenizer.encode(line).ids]
    np.add.at(counts, ids, 1)
    assert found.measured["trigram"] < found.measured["bigram"] < found.measured["unigram"]
    plain = -np.log(counts[ids] / counts.sum()).sum() / sum(len(x.encode()) for x in _text.learned(Material()))
    assert found.measured["unigram"] == pytest.approx(plain / math.log(2), rel=0.05)  # of the same lines, smoothed


def test_a_model_that_sees_the_future_is_refused(tmp_path):
    model = causal(tmp_path)
    model.predictor.body.config = TransformerConfig(**SIZES | {"norm_first": True})
    assert "states do not change with later tokens" in _admission.admit_causal(model, Material()).failed


def test_passages_are_whole_sentences():
    text = "One is short. " + "This sentence is one of many that follow each other in a row. " * 20
    found = _text.passages([text, "too short", ""])
    assert " ".join(found) == text.strip()
    assert max(map(len, found)) <= _text.LONGEST
    assert all(one.endswith(".") for one in found)
    with pytest.raises(CorpusError, match="no held-out text"):
        _text.held_out(type("Empty", (), {"texts": lambda self, name, part=None: []})())


def test_tokenizers_repeat_and_byte_pairs_lose_nothing():
    assert word_pieces(LINES, 200).to_str() == word_pieces(LINES, 200).to_str()
    pairs = byte_pairs(LINES, 300)
    text = "  Two  spaces,\ttabs\n — and Ünïcödé 汉字 🙂 "
    assert pairs.decode(pairs.encode(text).ids) == text


def test_without_a_mask_nothing_can_be_hidden():
    with pytest.raises(UsageError, match=r"no \[MASK\]"):
        hiding(Tokenizer(models.WordLevel({"a": 0}, unk_token="a")))


def test_heads_begin_at_their_neighbours():
    body = Transformer(TransformerConfig(**SIZES | {"heads": 4, "buckets": 32}))
    pretraining._begin_with_neighbours(body)
    seen = body.relative.weight[relative_buckets(9, 32)[4]]  # (9, 4), from the fifth of nine tokens
    assert seen.argmax(0).tolist() == [3, 5, 2, 6]
    assert (seen.topk(2, dim=0).values[1] < 1).all()
    plain = Transformer(TransformerConfig(**SIZES))
    before = {name: value.clone() for name, value in plain.state_dict().items()}
    pretraining._begin_with_neighbours(plain)
    assert all(torch.equal(value, before[name]) for name, value in plain.state_dict().items())


def test_a_model_that_begins_at_its_neighbours_soon_knows_more_than_frequencies(monkeypatch, tmp_path):
    """Each word follows from the one before; all are equally frequent, so counting knows nothing."""
    words, draw = [chr(97 + i) * 3 for i in range(12)], np.random.default_rng(0)
    lines = [" ".join(words[(start + i) % 12] for i in range(24)) for start in draw.integers(12, size=40)]
    tokenizer = word_pieces(lines, 60)
    sizes = SIZES | {"vocabulary": tokenizer.get_vocab_size(), "buckets": 32, "norm_first": True}

    def cost(folder):
        torch.manual_seed(0)
        predictor = masked_predictor(Transformer(TransformerConfig(**sizes)))
        pretrain_masked(predictor, tokenizer, lines, steps=60, rate=4e-3, window=64, seed=0, progress=Silent())
        folder.mkdir()
        Pretrained(predictor, tokenizer, 64).save(folder)
        return _admission.bits(*load_masked(folder).nll(lines[:8]))

    near = cost(tmp_path / "near")
    monkeypatch.setattr(pretraining, "NEAR", 0.0)
    assert near < 0.5 * cost(tmp_path / "far")
    assert near < 0.5 * math.log2(12) / 3


def test_a_model_out_of_minilm_moves_all_but_the_token_table(minilm, monkeypatch):
    whole = load_trainable(minilm).model.transformer.state_dict()
    monkeypatch.setattr(_minilm, "load_trainable", lambda name: load_trainable(minilm))
    made = _minilm.relearned(Material(), layers=1, steps=2, rate=1e-3, seed=0, progress=Silent())
    body = made.predictor.body.state_dict()
    table = "embeddings.word.weight"
    assert torch.equal(body[table], whole[table])
    assert not torch.equal(body["layers.0.query.weight"], whole["layers.0.query.weight"])
    assert "layers.1.query.weight" not in body
    assert {row.name: row.score for row in (minilm_3.ROW, minilm_mlm.ROW)} == {
        "minilm-3": "sts-b",
        "minilm-mlm": "sts-b",
    }


def test_a_rows_file_can_be_imported_alone():
    folder = Path(_text.__file__).parent
    for path in sorted(folder.glob("[!_]*.py")):
        spec = importlib.util.find_spec(f"isogloss.training.base_models.{path.stem}")
        assert spec is not None
