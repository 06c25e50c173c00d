"""Spans told from their edges, and texts restored from one vector: by brute force, by hand, and that it is learned."""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from isogloss.errors import UsageError  # noqa: E402
from isogloss.nn.bottleneck_decoder import BottleneckAutoencoder, BottleneckDecoder  # noqa: E402
from isogloss.nn.heads import MaskedHead, TokenPredictor  # noqa: E402
from isogloss.nn.packing import pack  # noqa: E402
from isogloss.nn.pooling import pool  # noqa: E402
from isogloss.nn.transformer import Transformer, TransformerConfig  # noqa: E402
from isogloss.objectives.class_prediction import ClassPrediction  # noqa: E402
from isogloss.objectives.contract import Batch  # noqa: E402
from isogloss.objectives.reconstruction import BottleneckReconstruction, reconstruct  # noqa: E402
from isogloss.objectives.span import SpanBoundary, SpanBoundaryPredictor, predict_spans, span_edges  # noqa: E402
from isogloss.training.corpus_batches import Hiding, LabelledBatches, MaskedBatches, Ragged  # noqa: E402
from isogloss.training.denoising_batches import Deletion, DenoisingBatches  # noqa: E402
from isogloss.training.loop import train  # noqa: E402
from isogloss.training.stage import Optimiser, Player, Stage  # noqa: E402

SIZES = {
    "vocabulary": 30,
    "width": 16,
    "layers": 1,
    "heads": 2,
    "inner": 32,
    "positions": 16,
    "dropout": 0.0,
    "types": 0,
}
TEXTS = Ragged.from_list([np.array([1, *np.random.default_rng(i).permutation(20)[:7] + 5, 2]) for i in range(16)])
HIDING = Hiding(mask=4, vocabulary=30, special=(0, 1, 2, 3), share=0.3, unit="span")


class Pooled(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.body = Transformer(TransformerConfig(**SIZES))

    def forward(self, packed):
        return pool(self.body(packed), packed, ["mean"])


# -- spans ----------------------------------------------------------------------------------------------------------


@given(st.lists(st.lists(st.booleans(), min_size=1, max_size=7), min_size=1, max_size=4))
def test_edges_by_brute_force(texts):
    packed = pack([np.zeros(len(one), np.int64) for one in texts])
    found = [part.tolist() for part in span_edges(packed, torch.tensor(np.concatenate(texts)))]
    expected = []
    for text, start in zip(texts, packed.offsets.tolist(), strict=False):
        for i in (i for i, gone in enumerate(text) if gone):
            left = next((j for j in range(i, -1, -1) if not text[j]), None)
            right = next((j for j in range(i, len(text)) if not text[j]), None)
            whole = left is not None and right is not None
            expected.append(
                (start + left, start + right, i - left, True) if whole else (start + i, start + i, 1, False)
            )
    assert list(zip(*found, strict=True)) == expected


def span_model():
    torch.manual_seed(0)
    predictor = TokenPredictor(Transformer(TransformerConfig(**SIZES)), MaskedHead(30, 16))
    return SpanBoundaryPredictor(predictor, 16)


def test_the_edges_logits_do_not_see_the_span_itself():
    model, packed = span_model().eval(), pack([np.array([1, 5, 6, 7, 2])])
    at = torch.tensor([False, False, True, True, False])
    seen = torch.arange(80.0).view(5, 16).sin()
    model.predictor.body.forward = lambda packed: seen
    own, edges, _ = model(packed, at)
    changed = seen.clone()
    changed[2:4] += 1
    model.predictor.body.forward = lambda packed: changed
    own_after, edges_after, _ = model(packed, at)
    assert torch.equal(edges, edges_after)
    assert not torch.allclose(own, own_after)
    assert not torch.allclose(edges[0], edges[1])  # two places of one span


def test_spans_without_two_edges_are_not_judged():
    batch = Batch((pack([np.array([4, 7])]),), extra={"targets": pack([np.array([5, -100])])})
    outputs = torch.zeros(1, 30), torch.zeros(1, 30), torch.tensor([False])
    losses = SpanBoundary()(outputs, batch)
    assert losses.mean().item() == pytest.approx(math.log(30))
    whole = SpanBoundary(weight=0.5)((*outputs[:2], torch.tensor([True])), batch)
    assert whole.mean().item() == pytest.approx(1.5 * math.log(30))


def test_span_losses_reach_every_weight_and_fall():
    model, batches = span_model(), MaskedBatches(TEXTS, HIDING, batch_size=16, seed=0)
    batch = batches(0)
    SpanBoundary()(predict_spans(model, batch), batch).mean().backward()
    silent = [name for name, one in model.named_parameters() if one.grad is None or not one.grad.abs().sum()]
    assert [name for name in silent if "key.bias" not in name] == []
    player = Player(
        module=model, objective=SpanBoundary(), forward=predict_spans, optimiser=Optimiser(learning_rate=5e-3)
    )
    losses = train(Stage(batches=batches, players=[player], steps=60), seed=0).losses["train/model"]
    assert np.mean(losses[-5:]) < losses[0] - 1


# -- bottlenecks ----------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.floats(0, 1), st.integers(0, 5))
def test_deletion_keeps_order_specials_and_one_token(lengths, share, seed):
    ids, offsets = np.arange(sum(lengths)) % 7, np.concatenate([[0], np.cumsum(lengths)])
    kept, bounds = Deletion(share=share, special=(0,))(ids, offsets, np.random.default_rng(seed))
    for i in range(len(lengths)):
        before, after = ids[offsets[i] : offsets[i + 1]].tolist(), kept[bounds[i] : bounds[i + 1]].tolist()
        assert after
        rest = iter(before)
        assert all(token in rest for token in after)  # in order
        assert before.count(0) == after.count(0)
    if share == 0:
        assert kept.tolist() == ids.tolist()


def test_deletion_takes_its_share():
    kept, _ = Deletion(share=0.6)(np.full(20_000, 7), np.array([0, 20_000]), np.random.default_rng(0))
    assert len(kept) / 20_000 == pytest.approx(0.4, abs=0.02)


def decoder(writes=True, seed=1):
    torch.manual_seed(seed)
    return BottleneckDecoder(30, 16, heads=2, positions=12, writes=writes).eval()


def test_a_writer_does_not_see_the_token_that_it_writes_nor_later_ones():
    one, vectors = decoder(), torch.randn(2, 16)
    plain = one(vectors, pack([np.array([1, 5, 6, 7]), np.array([8])]))
    later = one(vectors, pack([np.array([1, 5, 9, 7]), np.array([3])]))
    assert torch.isclose(plain, later, atol=1e-6).all(1).tolist() == [True, True, True, False, True]


def test_each_token_sees_its_own_texts_vector():
    one, vectors, text = decoder(), torch.randn(2, 16), pack([np.array([1, 5, 6]), np.array([8, 9])])
    changed = vectors.clone()
    changed[1] += 1
    same = torch.isclose(one(vectors, text), one(changed, text), atol=1e-6).all(1)
    assert same.tolist() == [True, True, True, False, False]
    alone = one(vectors[1:], text.take(1, 2))
    assert torch.allclose(alone, one(vectors, text)[3:], atol=1e-5)
    with pytest.raises(UsageError, match="2 texts, 1 vectors"):
        one(vectors[:1], text)


def test_a_filler_sees_both_sides():
    one, vectors = decoder(writes=False), torch.randn(1, 16)
    at = torch.tensor([False, True, False])
    asked = [one(vectors, pack([np.array(ids)]), at) for ids in ([5, 4, 6], [7, 4, 6], [5, 4, 8])]
    assert asked[0].shape == (1, 30)
    assert not torch.allclose(asked[0], asked[1], atol=1e-6)
    assert not torch.allclose(asked[0], asked[2], atol=1e-6)


WAYS = [(Deletion(share=0.3, special=(1, 2)), None), (HIDING, Hiding(mask=4, vocabulary=30, special=(1, 2), share=0.6))]


@pytest.mark.parametrize(("noise", "hidden"), WAYS)
def test_the_vector_is_what_is_learned(noise, hidden):
    """With each text's own vector the loss is well below that with its neighbour's."""
    torch.manual_seed(0)
    model = BottleneckAutoencoder(Pooled(), BottleneckDecoder(30, 16, heads=2, positions=12, writes=hidden is None))
    batches = DenoisingBatches(TEXTS, noise, given=hidden, batch_size=16, seed=0)
    player = Player(module=model, objective=BottleneckReconstruction(), forward=reconstruct,
                    optimiser=Optimiser(learning_rate=1e-2, schedule="constant"))  # fmt: skip
    train(Stage(batches=batches, players=[player], steps=200), seed=0)
    batch = batches(999)
    vectors, at = model.encoder(batch.columns[1]).detach(), batch.extra["targets"].ids != -100
    losses = [
        BottleneckReconstruction()(model.decoder(one, batch.columns[0], at), batch).mean().item()
        for one in (vectors, vectors.roll(1, 0))
    ]
    assert losses[0] < losses[1] - 0.2


@pytest.mark.parametrize(("noise", "hidden"), WAYS)
def test_batches_line_up_and_repeat(noise, hidden):
    batches = DenoisingBatches(TEXTS, noise, given=hidden, batch_size=4, seed=3)
    one, again = batches(5), batches(5)
    assert torch.equal(one.columns[1].ids, again.columns[1].ids)
    assert torch.equal(one.extra["targets"].offsets, one.columns[0].offsets)
    if hidden is None:
        assert torch.equal(one.extra["targets"].ids, one.columns[0].ids)
    else:
        judged = one.extra["targets"].ids != -100
        assert judged.float().mean().item() == pytest.approx(0.6 * 7 / 9, abs=0.06)


# -- classes --------------------------------------------------------------------------------------------------------


def test_classes_by_hand_and_by_torch():
    logits, labels = torch.randn(4, 3), torch.tensor([0, 2, 1, 1])
    batch = Batch((logits,), labels, weights=torch.tensor([1.0, 0.0, 2.0, 1.0]))
    losses = ClassPrediction(smoothing=0.1)(logits, batch)
    asked = torch.nn.functional.cross_entropy(logits, labels, reduction="none", label_smoothing=0.1)
    assert losses.mean().item() == pytest.approx(((asked * batch.weights).sum() / 4).item())
    exact = ClassPrediction()(torch.tensor([[0.0, math.log(3)]]), Batch((logits[:1],), torch.tensor([1])))
    assert exact.values.tolist() == pytest.approx([math.log(4 / 3)])


@pytest.mark.parametrize("labels", [None, torch.tensor([0.5, 1.0]), torch.tensor([0]), torch.tensor([0, 3])])
def test_what_are_no_classes_is_refused(labels):
    with pytest.raises(UsageError, match="class"):
        ClassPrediction()(torch.zeros(2, 3), Batch((torch.zeros(2, 3),), labels))


def test_labelled_sequences_keep_their_labels_and_types():
    types = Ragged.from_list([np.repeat([0, 1], [4, 5])] * 16)
    batches = LabelledBatches(TEXTS, np.arange(16), batch_size=5, seed=0, types=types)
    for step in range(batches.per_epoch):
        batch = batches(step)
        for i, label in enumerate(batch.labels.tolist()):
            assert batch.columns[0].take(i, i + 1).ids.tolist() == TEXTS[label].tolist()
        assert batch.columns[0].types.view(-1, 9).sum(1).tolist() == [5] * batch.size
    with pytest.raises(UsageError, match="16 sequences, 3 labels"):
        LabelledBatches(TEXTS, np.arange(3), batch_size=5, seed=0)
