"""Words foretold from pooled definitions: by hand, against a plain computation, with head and table at rest."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from isogloss.encoders.tokenizer_file import TokenizerFile  # noqa: E402
from isogloss.errors import UsageError  # noqa: E402
from isogloss.nn.heads import MaskedHead, TokenPredictor  # noqa: E402
from isogloss.nn.packing import pack  # noqa: E402
from isogloss.nn.transformer import Transformer, TransformerConfig  # noqa: E402
from isogloss.training.definitions import PooledWords, defined, foretold  # noqa: E402
from isogloss.training.masked_model import MARKS, MaskedModel  # noqa: E402

WORDS = ["red", "green", "blue", "colour", "of", "blood", "grass", "sky", "the"]
TEXTS = ["the colour of blood", "the colour of grass", "the colour of sky"]


@pytest.fixture
def tokenizer(tmp_path):
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    vocabulary = {word: number for number, word in enumerate([*MARKS, *WORDS])}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])]
    )
    made.save(str(tmp_path / "tokenizer.json"))
    return TokenizerFile(tmp_path, max_length=16)


def model(tokenizer):
    torch.manual_seed(0)
    size = len(MARKS) + len(WORDS)
    config = TransformerConfig(vocabulary=size, width=32, layers=1, heads=2, inner=32, positions=16, dropout=0.0)
    return MaskedModel(TokenPredictor(Transformer(config), MaskedHead(size, 32)), tokenizer)


class Fixed(torch.nn.Module):
    """A body whose states are the token vectors; a head that compares with the table."""

    def __init__(self):
        super().__init__()
        self.embeddings = torch.nn.Module()
        self.embeddings.word = torch.nn.Embedding.from_pretrained(torch.eye(3))

    def forward(self, packed):
        return self.embeddings.word(packed.ids)


class Compared(torch.nn.Module):
    def forward(self, states, table):
        return states @ table.T


@pytest.mark.parametrize(("pooling", "expected"), [("mean", [0.5, 0.25, 0.25]), ("max", [1, 1, 1]), ("cls", [0, 1, 0])])
def test_logits_by_hand(pooling, expected):
    words = PooledWords(TokenPredictor(Fixed(), Compared()), pooling=pooling)
    assert words(pack([np.array([1, 0, 0, 2])])).tolist() == [expected]


def test_logits_are_the_head_on_the_mean_of_the_states(tokenizer):
    made = model(tokenizer)
    found = foretold(made, TEXTS)
    for text, row in zip(TEXTS, found, strict=True):
        states = made.states([text], [-1])[0].values[:, 0]
        mean = torch.from_numpy(states.mean(0, keepdims=True))
        with torch.no_grad():
            assert np.allclose(row, made.predictor.head(mean, made.predictor.table)[0].numpy(), atol=1e-5)
    assert foretold(made, []).shape == (0, len(made.predictor.table))


def test_words_are_learned_and_head_and_table_rest(tokenizer):
    made = model(tokenizer)
    ids = [tokenizer.tokenizer.token_to_id(word) for word in ("red", "green", "blue")]
    still = [made.predictor.table, *made.predictor.head.parameters()]
    before, clean = [one.detach().clone() for one in still], foretold(made, TEXTS)
    free = {name for name, one in made.predictor.named_parameters() if one.requires_grad}
    tuned = defined(made, TEXTS, ids, steps=150, batch_size=3, learning_rate=1e-2, seed=1)
    assert tuned is made
    assert all(torch.equal(a, b) for a, b in zip(still, before, strict=True))
    assert {name for name, one in made.predictor.named_parameters() if one.requires_grad} == free
    assert foretold(made, TEXTS).argmax(1).tolist() == ids != clean.argmax(1).tolist()
    assert made.encode(TEXTS).shape == (3, 32)


def test_equal_seeds_give_equal_models(tokenizer):
    found = []
    for seed in (1, 1, 2):
        made = defined(model(tokenizer), TEXTS, [5, 6, 7], steps=3, batch_size=2, learning_rate=1e-2, seed=seed)
        found.append(foretold(made, TEXTS))
    assert np.array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])


@pytest.mark.parametrize("words", [[5, 6], [5, 6, 99], [-1, 5, 6]])
def test_each_definition_needs_a_token(tokenizer, words):
    with pytest.raises(UsageError, match="each definition needs one token"):
        defined(model(tokenizer), TEXTS, words, steps=1)
