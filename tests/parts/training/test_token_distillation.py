"""New tokens: rows begin as means, learn the states of the pieces, and leave everything else as it is."""

from __future__ import annotations

import copy

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors  # noqa: E402

from isogloss.encoders.tokenizer_file import TokenizerFile  # noqa: E402
from isogloss.encoders.transformer import TransformerEncoder  # noqa: E402
from isogloss.errors import UsageError  # noqa: E402
from isogloss.evaluation.state_agreement import StateAgreement  # noqa: E402
from isogloss.nn.packing import pack  # noqa: E402
from isogloss.nn.sentence import SentenceModel  # noqa: E402
from isogloss.nn.transformer import Transformer, TransformerConfig  # noqa: E402
from isogloss.training.models import new_trainable  # noqa: E402
from isogloss.training.saving import save_trainable  # noqa: E402
from isogloss.training.token_distillation import (  # noqa: E402
    AlignedStates,
    NewRows,
    cycle,
    distilled_words,
    with_new_words,
)
from isogloss.training.trained_encoder import TrainedEncoder  # noqa: E402

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "flut", "##ter", "wing", "a", "tur", "##bine", "hot", "the"]
WORDS = ["flutter", "turbine"]
TEXTS = ["a flutter the wing", "the flutter a hot wing", "hot flutter wing", "the turbine hot a", "a turbine the wing",
         "hot turbine wing a the"]  # fmt: skip
CONTEXTS = {"flutter": TEXTS[:3], "turbine": TEXTS[3:]}


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A random BERT of two layers over twelve pieces."""
    made = Tokenizer(models.WordPiece({piece: i for i, piece in enumerate(PIECES)}, unk_token="[UNK]"))
    made.normalizer, made.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    folder = tmp_path_factory.mktemp("tokenizer")
    made.save(str(folder / "tokenizer.json"))
    config = TransformerConfig(vocabulary=len(PIECES), width=16, layers=2, heads=2, inner=32, positions=32)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = SentenceModel(Transformer(config))
        for name, values in model.named_parameters():
            if "norm" not in name:
                values.data.mul_(10 if values.ndim > 1 else 1)
    return new_trainable(model.eval(), TokenizerFile(folder, max_length=32))


def table(trainable):
    return trainable.model.transformer.embeddings.word.weight.detach()


def share(base, trainable, texts=TEXTS):
    return StateAgreement(TrainedEncoder.of(base), texts)(TrainedEncoder.of(trainable)).value()


def test_new_rows_are_means_of_pieces_and_old_ones_the_same_bits(base):
    made = with_new_words(base, WORDS)
    assert torch.equal(table(made)[:12], table(base))
    torch.testing.assert_close(table(made)[12], (table(base)[4] + table(base)[5]) / 2)
    swapped = with_new_words(base, WORDS, start="shuffled")
    assert torch.equal(table(swapped)[[12, 13]], table(made)[[13, 12]])
    random = with_new_words(base, WORDS, start="random", seed=1)
    assert torch.equal(table(random), table(with_new_words(base, WORDS, start="random", seed=1)))
    assert not torch.equal(table(random)[12:], table(with_new_words(base, WORDS, start="random", seed=2))[12:])


def test_texts_without_new_words_keep_their_vectors(base):
    made = TrainedEncoder.of(with_new_words(base, WORDS))
    np.testing.assert_array_equal(made.encode(["the hot wing"]), TrainedEncoder.of(base).encode(["the hot wing"]))
    assert made.tokenizer(["a flutter"]).full.tolist() == [4]
    assert base.tokenizer(["a flutter"]).full.tolist() == [5]
    assert made.identity != TrainedEncoder.of(base).identity


def test_distilled_rows_give_more_of_the_states_and_nothing_else_moves(base):
    before = copy.deepcopy(base.model.state_dict())
    mean = with_new_words(base, WORDS)
    made = distilled_words(base, CONTEXTS, epochs=60, batch_size=3, learning_rate=0.03)
    placebo = distilled_words(base, CONTEXTS, epochs=60, batch_size=3, learning_rate=0.03, shuffled=True)
    assert share(base, made) > share(base, mean) + 0.02
    assert share(base, placebo) < share(base, mean)
    for trainable in (base, made):
        for name, values in before.items():
            assert torch.equal(trainable.model.state_dict()[name][: len(values)], values)
    assert not torch.equal(table(made)[12:], table(mean)[12:])


def test_the_same_seed_gives_the_same_bits(base):
    one, again, other = (distilled_words(base, CONTEXTS, epochs=2, batch_size=2, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(table(one), table(again))
    assert not torch.equal(table(one), table(other))


def test_only_new_rows_have_a_gradient_and_it_is_that_of_the_whole_table(base):
    made = with_new_words(base, WORDS)
    packed = pack(made.tokenizer(TEXTS[:2]).ids)
    whole = copy.deepcopy(made.model.transformer)
    whole(packed).square().sum().backward()
    module = NewRows(made.model.transformer, 2).train()
    module(packed).square().sum().backward()
    torch.testing.assert_close(module.rows.grad, whole.embeddings.word.weight.grad[12:], rtol=1e-4, atol=1e-5)
    assert [name for name, one in module.named_parameters() if one.grad is not None] == ["rows"]


def test_targets_are_the_old_states_where_both_cuts_end(base):
    student = with_new_words(base, WORDS)
    batches = AlignedStates(base, student, ["the flutter a"], batch_size=1)
    batch = batches(0)
    assert batch.columns[0].ids.tolist() == [2, 11, 12, 7, 3]
    assert batch.extra["places"].tolist() == [0, 1, 2, 3, 4]
    states = base.model.transformer(pack([np.array([2, 11, 4, 5, 7, 3])])).detach()
    torch.testing.assert_close(batch.extra["teacher"], states[[0, 1, 3, 4, 5]], rtol=0.1, atol=0.1)
    moved = AlignedStates(base, student, ["the flutter a"], batch_size=1, places=np.array([1, 0]))
    assert moved(0).columns[0].ids.tolist() == [2, 11, 13, 7, 3]


def test_a_saved_model_has_its_words_in_the_runtime(base, tmp_path):
    made = distilled_words(base, CONTEXTS, epochs=1, batch_size=3)
    folder = save_trainable(made, tmp_path / "model")
    runtime = TransformerEncoder(folder, threads=1)
    np.testing.assert_allclose(runtime.encode(TEXTS), TrainedEncoder.of(made).encode(TEXTS), atol=1e-5)
    assert runtime.identity == TrainedEncoder.of(made).identity


@pytest.mark.parametrize("contexts", [{}, {"flutter": [], "turbine": TEXTS}])
def test_words_without_contexts_are_an_error(base, contexts):
    with pytest.raises(UsageError, match=r"(0 of 0|1 of 2)"):
        distilled_words(base, contexts)


def test_a_table_of_other_tokens_is_refused(base):
    odd = copy.deepcopy(base)
    odd.model.transformer.embeddings.word = torch.nn.Embedding(20, 16)
    with pytest.raises(UsageError, match="20 rows for 12"):
        with_new_words(odd, WORDS)


@pytest.mark.parametrize("count", [2, 3, 7, 30])
def test_a_cycle_moves_every_number(count):
    order = cycle(count, np.random.default_rng(count))
    assert sorted(order) == list(range(count))
    assert (order != np.arange(count)).all()
