"""An encoder-decoder on disk: it comes back bit by bit, and what is broken says so."""

from __future__ import annotations

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from isogloss.errors import ModelError  # noqa: E402
from isogloss.nn.packing import pack  # noqa: E402
from isogloss.nn.seq2seq import Seq2Seq, Seq2SeqConfig  # noqa: E402
from isogloss.nn.transformer import TransformerConfig  # noqa: E402
from isogloss.training.models import load_trainable  # noqa: E402
from isogloss.training.text_to_text import TextToText  # noqa: E402
from isogloss.vocabulary.wordpiece import WordPiece  # noqa: E402


@pytest.fixture
def base():
    torch.manual_seed(3)
    sizes = TransformerConfig(vocabulary=5, width=8, layers=1, heads=2, inner=16, positions=16)
    model = Seq2Seq(Seq2SeqConfig(encoder=sizes, layers=1, extra=2, start=1, end=2))
    return TextToText(model.eval(), WordPiece(["[UNK]", "[CLS]", "[SEP]", "a", "b"]))


def test_it_comes_back_as_it_was(base, tmp_path):
    base.save(tmp_path / "kept")
    again = TextToText.load(tmp_path / "kept")
    sources, targets = pack([np.array([1, 3, 4, 2])]), pack([np.array([3, 6, 2])])
    assert torch.equal(base.model(sources, targets), again.model(sources, targets))
    assert (again.pieces.tokens, again.model.config) == (base.pieces.tokens, base.model.config)
    assert again.parameters == base.parameters > 5 * 8
    assert not again.model.training


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_missing_file_is_named(base, tmp_path, name):
    base.save(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(ModelError, match=name):
        TextToText.load(tmp_path)


@pytest.mark.parametrize(("change", "says"), [({"format": "other 2"}, "other 2"), ({"layers": 2}, "do not fit")])
def test_another_format_or_size_is_refused(base, tmp_path, change, says):
    base.save(tmp_path)
    settings = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(settings | change))
    with pytest.raises(ModelError, match=says):
        TextToText.load(tmp_path)


def test_a_new_decoder_stands_behind_a_copy_of_a_trained_encoder(minilm):
    whole = load_trainable(minilm)
    made, again, other = (TextToText.over(whole, seed=seed) for seed in (0, 0, 1))
    ids = pack([np.array([101, 2054, 2003, 102])])
    with torch.no_grad():
        assert torch.equal(made.model.encoder(ids), whole.model.transformer(ids))
    assert torch.equal(made.model.layers[0].query.weight, again.model.layers[0].query.weight)
    assert not torch.equal(made.model.layers[0].query.weight, other.model.layers[0].query.weight)
    assert made.pieces.tokens[made.model.start] == "[CLS]"
    assert made.model.encoder.layers[0].query.weight is not whole.model.transformer.layers[0].query.weight
    assert all(one.requires_grad for one in whole.model.parameters())
