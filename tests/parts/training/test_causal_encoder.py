"""Reading a causal language model: which tokens count, what they may see, and that tuning moves a copy alone."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tokenizers import Tokenizer, models, pre_tokenizers  # noqa: E402

from isogloss.arrays import counting  # noqa: E402
from isogloss.errors import TruncationWarning, UsageError  # noqa: E402
from isogloss.nn.packing import pack  # noqa: E402
from isogloss.nn.transformer import Transformer, TransformerConfig  # noqa: E402
from isogloss.protocols import EncodeReport  # noqa: E402
from isogloss.training.causal_encoder import ECHO, ENSEMBLE, ONE_WORD, CausalEncoder, Reading  # noqa: E402
from isogloss.training.causal_tuning import PackedPairs, tuned  # noqa: E402

SAID = '<s> this sentence : " means in one word red green blue dogs cats run sleep the of topic meaning is'
WORDS = SAID.split()
TEXTS = ["red dogs run", "green cats", "the blue dogs sleep", ""]


def body(seed=0, **settings):
    torch.manual_seed(seed)
    sizes = {"vocabulary": 40, "width": 16, "layers": 2, "heads": 2, "inner": 32, "positions": 64, "types": 0}
    made = Transformer(TransformerConfig(**{**sizes, "causal": True, "norm_first": True, "dropout": 0.0} | settings))
    for weight in made.layers.parameters():
        if weight.ndim > 1:
            weight.data *= 10  # a new model hardly attends to anything
    return made


def tokenizer():
    made = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)} | {"[UNK]": 39}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return made


def encoder(model=None, window=64, **reading):
    return CausalEncoder(model or body().eval(), tokenizer(), begin=0, reading=Reading(**reading), window=window)


def states(text, layer=-1, model=None):
    ids = np.array([0, *tokenizer().encode(text).ids], np.int64)
    with torch.no_grad():
        return (model or body().eval()).states(pack([ids]), (layer,))[0].numpy()


def cosine(a, b):
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def test_readings_by_hand():
    own = states("red dogs run")[1:]
    expected = {
        "last": own[-1],
        "mean": own.mean(0),
        "weighted": (own * np.array([[1.0], [2.0], [3.0]])).sum(0) / 6,
    }
    for pooling, vector in expected.items():
        found = encoder(pooling=pooling, normalise=False).encode("red dogs run")[0]
        assert np.allclose(found, vector, atol=1e-5), pooling
    lower = encoder(pooling="mean", layer=1, normalise=False).encode("red dogs run")[0]
    assert np.allclose(lower, states("red dogs run", 1)[1:].mean(0), atol=1e-5)


def test_a_prompt_is_read_at_its_end():
    found = encoder(prompts=(ONE_WORD,)).encode("red dogs run")[0]
    assert cosine(found, states(ONE_WORD.format(text="red dogs run"))[-1]) == pytest.approx(1, abs=1e-5)


def test_an_echo_reads_the_second_copy_alone():
    found = encoder(pooling="mean", prompts=(ECHO,), normalise=False).encode("red dogs run")[0]
    assert np.allclose(found, states("red dogs run red dogs run")[4:].mean(0), atol=1e-5)


def first_token(text, **reading):
    """What is read of the first token, when only the last one changes."""
    ids = encoder(pooling="mean", **reading).pack([text])
    made = encoder(pooling="mean", normalise=False, **reading)
    marks = torch.zeros_like(ids.types)
    marks[int(ids.types.nonzero()[0])] = 1
    with torch.no_grad():
        return made.reader(type(ids)(ids.ids, ids.offsets, marks))[0].numpy()


def test_only_an_echo_or_a_two_sided_mask_sees_the_end_from_the_beginning():
    same = [first_token(f"red dogs {word}") for word in ("run", "sleep")]
    assert np.array_equal(*same)
    for reading in ({"prompts": (ECHO,)}, {"bidirectional": True}):
        changed = [first_token(f"red dogs {word}", **reading) for word in ("run", "sleep")]
        assert not np.allclose(*changed, atol=1e-5)


def test_the_mask_of_the_model_itself_stays():
    model = body().eval()
    encoder(model, bidirectional=True)
    assert model.config.causal
    assert np.array_equal(encoder(model).encode(TEXTS), encoder().encode(TEXTS))


def test_an_ensemble_is_the_mean_of_its_prompts():
    single = [encoder(prompts=(prompt,)).encode(TEXTS) for prompt in ENSEMBLE]
    mean = np.mean(single, 0)
    mean /= np.linalg.norm(mean, axis=1, keepdims=True)
    assert np.allclose(encoder(prompts=ENSEMBLE).encode(TEXTS), mean, atol=1e-5)


CELLS = [
    {"pooling": "last"}, {"pooling": "mean"}, {"pooling": "weighted"}, {"prompts": (ONE_WORD,)},
    {"pooling": "mean", "prompts": (ECHO,)}, {"pooling": "mean", "layer": 1}, {"prompts": ENSEMBLE},
    {"pooling": "mean", "bidirectional": True},
]  # fmt: skip


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_batches_do_not_matter_and_empty_texts_have_a_vector(cell):
    made = encoder(**cell)
    together = made.encode([*TEXTS, "red " * 20])
    alone = np.concatenate([made.encode(text) for text in [*TEXTS, "red " * 20]])
    assert np.allclose(together, alone, atol=1e-5)
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    assert made.encode([]).shape == (0, 16)


def test_no_cell_is_another_one_in_disguise():
    made = [encoder(**cell).encode(TEXTS[:3]) for cell in CELLS]
    identities = {encoder(**cell).identity for cell in CELLS}
    assert len(identities) == len(CELLS)
    for i, one in enumerate(made):
        for other in made[:i]:
            assert np.abs((one * other).sum(1)).mean() < 0.999


def test_the_prompt_stays_when_the_text_is_cut():
    made = encoder(window=20, prompts=(ONE_WORD,))
    report = EncodeReport()
    long = made.encode("red dogs run " * 20, report=report)
    assert (report.texts, report.cut, report.tokens, report.window) == (1, 1, 60, 20)
    kept = " ".join(("red dogs run " * 20).split()[: 60 - report.lost])
    assert np.allclose(long, made.encode(kept), atol=1e-6)
    with pytest.warns(TruncationWarning, match="1 of 1"):
        made.encode("red dogs run " * 20)


def test_costs_are_counted():
    with counting() as once:
        encoder(pooling="mean").encode("red dogs run")
    with counting() as twice:
        encoder(pooling="mean", prompts=(ECHO,)).encode("red dogs run")
    with counting() as half:
        encoder(pooling="mean", layer=1).encode("red dogs run")
    assert twice.multiply_adds > 1.5 * once.multiply_adds
    assert half.multiply_adds * 2 == once.multiply_adds
    assert encoder(prompts=(ECHO,)).tokens_read(["red dogs run"]) == 7


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"pooling": "max"}, "no pooling"),
        ({"prompts": ("no place",)}, "needs the text"),
        ({"prompts": ()}, "there is none"),
        ({"prompts": (ONE_WORD,), "window": 8}, "no room"),
    ],
)
def test_wrong_settings_are_said(settings, said):
    with pytest.raises(UsageError, match=said):
        encoder(**settings)


COLOURS = ["red", "green", "blue", "the", "of"]
PAIRS = [[f"{colour} dogs run" for colour in COLOURS] * 4, [f"cats sleep {colour}" for colour in COLOURS] * 4]


def nearest(made):
    left, right = (made.encode(column[:5]) for column in PAIRS)
    return (left @ right.T).argmax(1).tolist()


@pytest.mark.parametrize("reading", [{"pooling": "mean"}, {"pooling": "last", "bidirectional": True}], ids=str)
def test_tuning_finds_the_pairs_and_leaves_the_model_alone(reading):
    model = body().eval()
    before = {name: one.detach().clone() for name, one in model.state_dict().items()}
    start = encoder(model, **reading)
    made = tuned(start, PAIRS, steps=60, batch_size=5, learning_rate=0.02, seed=3)
    assert nearest(made) == [0, 1, 2, 3, 4]
    assert all(torch.equal(one, before[name]) for name, one in model.state_dict().items())
    assert made.trained == 2 * 8 * (4 * 32 + 2 * 48)
    assert set(dict(made.reader.body.named_parameters())) == set(dict(model.named_parameters()))
    again = tuned(start, PAIRS, steps=60, batch_size=5, learning_rate=0.02, seed=3)
    assert np.array_equal(again.encode(TEXTS), made.encode(TEXTS))


def test_pairs_of_a_batch_know_equal_texts():
    batches = PackedPairs(encoder(), [["red", "red", "blue"], ["dogs", "cats", "run"]], batch_size=3, seed=0)
    keys = batches(0).keys
    assert len(set(keys[:, 0].tolist())) == 2
    assert len(set(keys[:, 1].tolist())) == 3
    assert batches.per_epoch == 1
    with pytest.raises(UsageError, match="two texts or more"):
        PackedPairs(encoder(), [["red"], ["dogs"]], batch_size=3, seed=0)
