"""Fine-tuning in one call: it learns, it repeats bit for bit, it moves every parameter, in either precision."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from isogloss.encoders.transformer import TransformerEncoder  # noqa: E402
from isogloss.errors import UnsupportedModelError, UsageError  # noqa: E402
from isogloss.objectives.in_batch import InBatchSoftmax  # noqa: E402
from isogloss.objectives.pairs import CosineRegression  # noqa: E402
from isogloss.training.fine_tuning import fine_tune  # noqa: E402
from isogloss.training.models import keep_layers, load_trainable  # noqa: E402
from isogloss.training.precision import has_half, in_precision  # noqa: E402
from isogloss.training.saving import save_trainable  # noqa: E402
from isogloss.training.trained_encoder import TrainedEncoder  # noqa: E402

pytestmark = [
    pytest.mark.filterwarnings("ignore::isogloss.errors.TruncationWarning"),
    pytest.mark.filterwarnings("ignore::isogloss.errors.IsoglossWarning"),
]


@pytest.fixture(scope="module")
def squad(data):
    """Questions and the sentences that answer them."""
    with gzip.open(data("squad-sentence-pairs") / "train.jsonl.gz", "rt") as lines:
        rows = [json.loads(line) for line, _ in zip(lines, range(160), strict=False)]
    return [row["query"] for row in rows], [row["positive"] for row in rows]


@pytest.fixture(scope="module")
def short(squad):
    """Their first signs: a tiny tokenizer makes a token of each."""
    return [text[:24] for text in squad[0][:96]], [text[:40] for text in squad[1][:96]]


def weights(encoder):
    return {name: value.detach().clone() for name, value in encoder.model.state_dict().items()}


def loss_of(encoder, columns, objective):
    """The loss without dropout, of the whole data as one batch."""
    from isogloss.training.batching import TextBatches
    from isogloss.training.fine_tuning import encode_together

    batches = TextBatches(columns, encoder.tokenizer, batch_size=len(columns[0]), seed=0, no_duplicates=False)
    with torch.no_grad():
        return float(objective(encode_together(encoder.model.eval(), batches(0)), batches(0)).mean())


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_it_learns_real_pairs_and_repeats_bit_for_bit(tiny_folder, short, precision):
    base = TrainedEncoder.of(load_trainable(tiny_folder()))
    before, start = loss_of(base, short, InBatchSoftmax()), weights(base)
    found = [
        fine_tune(
            tiny_folder(), short, InBatchSoftmax(), steps=15, learning_rate=5e-3, batch_size=24, seed=seed,
            precision=precision,
        )
        for seed in (0, 0, 1)
    ]  # fmt: skip
    assert loss_of(found[0], short, InBatchSoftmax()) < 0.8 * before
    one, again, other = map(weights, found)
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert not all(torch.equal(one[name], other[name]) for name in one)
    assert [name for name in one if torch.equal(one[name], start[name])] == []
    assert all(value.dtype == torch.float32 for value in one.values())
    assert found[0].summary.steps == 15


def test_half_precision_follows_full_precision(tiny_folder, short):
    losses = {}
    for precision in ("fp32", "bf16"):
        encoder = fine_tune(
            tiny_folder(), short, InBatchSoftmax(), steps=10, learning_rate=2e-3, precision=precision, seed=3
        )
        losses[precision] = np.array(encoder.summary.losses["fine-tuning/model"])
    # dropout draws the same, so the two runs stay together but for rounding
    assert np.abs(losses["fp32"] - losses["bf16"]).max() < 0.05
    assert losses["fp32"][-1] < losses["fp32"][0]


def test_gradients_in_half_precision_point_the_same_way(tiny_folder):
    from isogloss.nn.packing import pack
    from isogloss.objectives.contract import Batch
    from isogloss.training.stage import encode_columns

    trainable = load_trainable(tiny_folder())
    batch = Batch((pack(trainable.tokenizer(["the heat of the ships", "a library", "gauge"]).ids),))
    target = torch.randn(3, 32, generator=torch.Generator().manual_seed(0))
    grads = []
    for precision in ("fp32", "bf16"):
        trainable.model.zero_grad()
        (vectors,) = in_precision(encode_columns, precision)(trainable.model, batch)
        assert vectors.dtype == torch.float32
        (vectors * target).sum().backward()
        kept = {name: p.grad for name, p in trainable.model.named_parameters() if not name.endswith("key.bias")}
        assert all(grad.dtype == torch.float32 for grad in kept.values())
        grads.append(torch.cat([grad.flatten() for grad in kept.values()]))
    assert float(torch.cosine_similarity(*grads, dim=0)) > 0.995  # large random weights: each rounding grows
    assert has_half() in (True, False)


def test_a_loaded_model_is_changed_in_place_and_saved(tiny_folder, short, tmp_path):
    trainable = load_trainable(tiny_folder())
    first = fine_tune(trainable, short, InBatchSoftmax(), steps=2, learning_rate=1e-3, precision="fp32")
    assert first.model is trainable.model
    second = fine_tune(first, short, InBatchSoftmax(), epochs=0.6, learning_rate=1e-3, precision="fp32")
    assert second.summary.steps == 2
    folder = save_trainable(second.trainable, tmp_path / "trained")
    again = TransformerEncoder(folder, threads=1)
    assert again.identity == second.identity
    np.testing.assert_allclose(again.encode(short[0][:9]), second.encode(short[0][:9]), atol=1e-5)


def test_scores_are_learned_from_one_pair_on(tiny_folder):
    columns = [["the heat"], ["a library of ships"]]
    base = TrainedEncoder.of(load_trainable(tiny_folder()))
    before = float((base.encode(columns[0]) * base.encode(columns[1])).sum())
    for wanted in (-0.5, 0.9):
        encoder = fine_tune(
            tiny_folder(), columns, CosineRegression(), labels=[wanted], steps=30, learning_rate=3e-3, precision="fp32"
        )
        found = float((encoder.encode(columns[0]) * encoder.encode(columns[1])).sum())
        assert abs(found - wanted) < 0.6 * abs(before - wanted)


def test_cached_gradients_and_half_precision_go_together(tiny_folder, short):
    options = {"steps": 2, "learning_rate": 1e-3, "batch_size": 24, "precision": "bf16"}
    found = fine_tune(tiny_folder(), short, InBatchSoftmax(), chunk=8, **options)
    assert np.isfinite(found.summary.losses["fine-tuning/model"]).all()


def test_what_cannot_be_fine_tuned_is_said(tiny_folder):
    folder = tiny_folder(prompts={"query": "query: "})
    config = folder / "1_Pooling" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"include_prompt": False}))
    with pytest.raises(UnsupportedModelError, match="leaves its prompt out"):
        fine_tune(folder, [["a", "b"], ["c", "d"]], InBatchSoftmax())
    with pytest.raises(UsageError, match="not both"):
        fine_tune(folder, [["a", "b"], ["c", "d"]], InBatchSoftmax(), steps=1, epochs=1)


@pytest.mark.slow
def test_a_poor_minilm_becomes_better_at_real_questions(minilm, squad):
    small = keep_layers(load_trainable(minilm, max_length=64), range(3))
    encoder = TrainedEncoder.of(small)

    def rank(questions, answers):
        scores = encoder.encode(questions) @ encoder.encode(answers).T
        own = np.diag(scores)[:, None]
        return float((1 / (1 + (scores > own).sum(1))).mean())

    train, test = [column[:120] for column in squad], [column[120:] for column in squad]
    before = rank(*test)
    fine_tune(small, train, InBatchSoftmax(), epochs=6, learning_rate=1e-4, batch_size=24)
    assert rank(*test) > before
