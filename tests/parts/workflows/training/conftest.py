"""A random model so small that it trains in a second, and pairs that it can learn."""

from __future__ import annotations

import json

import pytest

_WORDS = "red green blue dark pale old new tall small round flat soft hard warm cold wet dry loud quiet sweet"
WORDS = _WORDS.split()
_THINGS = "cat dog house tree river stone bread lamp ship horse road field cloud chair glass knife drum rope"
THINGS = _THINGS.split()


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """Folder of a random sentence model with one layer of width 16."""
    torch = pytest.importorskip("torch")
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    from isogloss.encoders.tokenizer_file import TokenizerFile
    from isogloss.nn.sentence import SentenceModel
    from isogloss.nn.transformer import Transformer, TransformerConfig
    from isogloss.training.models import new_trainable
    from isogloss.training.saving import save_trainable

    folder = tmp_path_factory.mktemp("tiny")
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocabulary = {word: i for i, word in enumerate([*special, *WORDS, *THINGS, "a", "the", "what", "is", "?"])}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = TransformerConfig(vocabulary=len(vocabulary), width=16, layers=2, heads=2, inner=32, positions=32)
        model = SentenceModel(Transformer(config))
    trainable = new_trainable(model.eval(), TokenizerFile(folder, max_length=32), name="tiny")
    return save_trainable(trainable, folder / "model")


@pytest.fixture(scope="session")
def rows():
    """Pairs that belong together by a rule: the thing that the question names comes in the answer."""
    pairs = [(word, thing) for word in WORDS for thing in THINGS]
    return [{"query": f"what is {thing} {word} ?", "pos": [f"the {word} {thing}"]} for word, thing in pairs]


@pytest.fixture
def pairs(tmp_path, rows):
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path
