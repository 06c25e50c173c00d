"""Cross-encoders that are trained here, and twins: pairs joined by hand, what is learned, what is read once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from isogloss.arrays import counting  # noqa: E402
from isogloss.encoders.tokenizer_file import TokenizerFile  # noqa: E402
from isogloss.errors import UsageError  # noqa: E402
from isogloss.nn.packing import pack  # noqa: E402
from isogloss.nn.sentence import SentenceModel  # noqa: E402
from isogloss.nn.transformer import Transformer, TransformerConfig  # noqa: E402
from isogloss.objectives.pair_heads import PairHead  # noqa: E402
from isogloss.training.pair_models import TwinModel, joined_pairs, train_pair_model  # noqa: E402
from isogloss.training.trained_encoder import TrainedEncoder  # noqa: E402

LETTERS = "abcdef"
LEFT = [one for one in LETTERS for _ in LETTERS] + [*LETTERS] * 5
RIGHT = [other for _ in LETTERS for other in LETTERS] + [*LETTERS] * 5
SAME = np.array([int(one == other) for one, other in zip(LEFT, RIGHT, strict=True)])

rows = st.lists(st.lists(st.integers(10, 99), max_size=5), min_size=1, max_size=6)


@given(rows, rows)
@settings(max_examples=60, deadline=None)
def test_pairs_are_joined_one_by_one(left, right):
    count = min(len(left), len(right))
    columns = [[np.array([1, *row, 2]) for row in texts[:count]] for texts in (left, right)]
    joined = joined_pairs(*map(pack, columns))
    for i, (one, other) in enumerate(zip(*columns, strict=True)):
        start, stop = joined.offsets[i], joined.offsets[i + 1]
        assert joined.ids[start:stop].tolist() == [*one, *other[1:]]
        assert joined.types[start:stop].tolist() == [0] * len(one) + [1] * (len(other) - 1)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    folder = tmp_path_factory.mktemp("letters")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *LETTERS]
    tokenizer = Tokenizer(models.WordPiece({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    marks = [("[CLS]", 2), ("[SEP]", 3)]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=marks)
    (folder / "tokenizer.json").write_text(tokenizer.to_str(), encoding="utf-8")
    torch.manual_seed(0)
    config = TransformerConfig(
        vocabulary=len(words), width=16, layers=2, heads=2, inner=32, positions=16, dropout=0.0, attention_dropout=0.0
    )
    body = Transformer(config)
    for weights in body.parameters():
        if weights.ndim > 1:
            weights.data.mul_(5)
    return TrainedEncoder(SentenceModel(body), TokenizerFile(folder, max_length=8))


def test_it_learns_what_only_both_texts_say(base):
    before = {name: value.clone() for name, value in base.model.state_dict().items()}
    model = train_pair_model(base, [LEFT, RIGHT], SAME, steps=150, batch_size=33, learning_rate=5e-3)
    scores = model.score(LEFT, RIGHT)
    assert (scores.argmax(1) == SAME).mean() > 0.95 > max(SAME.mean(), 1 - SAME.mean())
    assert model.score(LEFT[:1], RIGHT[:1]) == pytest.approx(
        scores[:1], abs=0.05 * float(np.abs(scores).max())
    )  # bfloat16
    assert all(torch.equal(value, before[name]) for name, value in base.model.state_dict().items())
    table = model.reader.transformer.embeddings.word.weight
    assert torch.equal(table, base.model.transformer.embeddings.word.weight)
    assert model.score([], []).shape == (0, 2)
    with pytest.raises(UsageError, match="1 left ones, 0 right ones"):
        model.score(["a"], [])


def test_a_twin_reads_each_text_once_and_no_pair_knows_of_another(base):
    twin = TwinModel(base, PairHead(16, 3, hidden=8))
    whole = twin.score(LEFT, RIGHT)
    alone = TwinModel(base, twin.head).score(LEFT[7:8], RIGHT[7:8])
    assert alone == pytest.approx(whole[7:8], abs=1e-5)
    u, v = base.encode(LEFT[:5]), base.encode(RIGHT[:5])
    assert whole[:5] == pytest.approx(twin.head.read(u, v), abs=1e-5)
    with counting() as ledger:
        twin.score(LEFT[:3], RIGHT[:3])
    assert ledger.multiply_adds == 3 * sum(one.numel() for one in twin.head.parameters())  # no text was read again
    assert sorted(twin.known) == list(LETTERS)
    assert twin.score([], []).shape == (0, 3)
    with pytest.raises(UsageError, match="0 left ones, 1 right ones"):
        twin.score([], ["a"])
