"""Soft-max over the batch: by hand, as sentence-transformers does it, and what is masked."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")

from isogloss.errors import UsageError  # noqa: E402
from isogloss.objectives import in_batch  # noqa: E402
from isogloss.objectives.contract import Batch  # noqa: E402
from isogloss.objectives.in_batch import DIRECTIONS, InBatchSoftmax, LearnedTemperature  # noqa: E402
from isogloss.objectives.queue import MomentumQueue  # noqa: E402

THEIRS = {
    "query_document": "query_to_doc",
    "document_query": "doc_to_query",
    "query_query": "query_to_query",
    "document_document": "doc_to_doc",
}


def vectors(columns=2, rows=6, width=5, seed=0):
    drawn = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(rows, width, generator=drawn, dtype=torch.float64) for _ in range(columns))


def loss(outputs, keys=None, weights=None, extra=None, **settings):
    return InBatchSoftmax(**settings)(outputs, Batch(outputs, keys=keys, weights=weights, extra=extra or {}))


def test_by_hand():
    q = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    d = torch.tensor([[3.0, 0.0], [1.0, 1.0]])
    half = 1 / math.sqrt(2)
    expected = [math.log(math.exp(1) + math.exp(half)) - 1, math.log(math.exp(0) + math.exp(half)) - half]
    got = loss((q, d), temperature=1.0)
    assert got.values.tolist() == pytest.approx(expected, abs=1e-6)
    assert got.parts["accuracy"] == 1.0
    assert got.parts["negatives"] == 1.0
    with_margin = loss((q, d), temperature=1.0, margin=0.5).values[0]
    assert float(with_margin) == pytest.approx(math.log(math.exp(0.5) + math.exp(half)) - 0.5, abs=1e-6)
    turned = loss((q, d), temperature=1.0, angular_margin=0.3).values[1]
    moved = math.cos(math.pi / 4 + 0.3)
    assert float(turned) == pytest.approx(math.log(1 + math.exp(moved)) - moved, abs=1e-5)
    p = math.exp(-expected[0])
    assert float(loss((q, d), temperature=1.0, focal=2.0).values[0]) == pytest.approx(expected[0] * (1 - p) ** 2)


@pytest.mark.parametrize(("on", "mode"), [("batch", "in_batch_negatives"), ("own", "hard_negatives")])
@pytest.mark.parametrize(  # theirs has no loss of all four directions, each for itself
    ("directions", "joint"),
    [
        (DIRECTIONS[:1], True),
        (DIRECTIONS[:1], False),
        (DIRECTIONS[:2], True),
        (DIRECTIONS[:2], False),
        (DIRECTIONS, True),
    ],
)
def test_as_sentence_transformers(directions, joint, on, mode):
    losses = pytest.importorskip("sentence_transformers.sentence_transformer.losses")
    theirs = losses.MultipleNegativesRankingLoss(
        None, directions=tuple(THEIRS[one] for one in directions), hardness_mode=mode, hardness_strength=3.0,
        partition_mode="joint" if joint else "per_direction",
    )  # fmt: skip
    ours = loss(vectors(4), directions=directions, joint=joint, hardness=3.0, hardness_on=on).mean()
    assert float(ours) == pytest.approx(float(theirs.compute_loss_from_embeddings(list(vectors(4)), None)), abs=1e-12)


def test_directions_of_one_kind_alone_take_the_right_pair_in():
    (q, d) = vectors(rows=2)
    cosine = torch.nn.functional.cosine_similarity
    parts = []
    for left, right in [(q, d), (q, q), (d, d)]:
        positive = cosine(q, d)
        other = cosine(left, right.flip(0))
        parts.append(torch.logaddexp(positive, other) - positive)
    got = loss((q, d), temperature=1.0, directions=("query_document", "query_query", "document_document"))
    torch.testing.assert_close(got.values, torch.stack(parts).mean(0))


def test_equal_texts_are_never_negatives():
    outputs = vectors(3, rows=4)
    free = loss(outputs, directions=DIRECTIONS, joint=True)
    assert free.parts["masked"] == 0
    distinct = torch.arange(12).reshape(4, 3)
    assert torch.equal(loss(outputs, keys=distinct, directions=DIRECTIONS, joint=True).values, free.values)
    keys = distinct.clone()
    keys[2, 1] = keys[0, 1]  # items 0 and 2 share their document
    masked = loss(outputs, keys=keys)
    assert masked.parts["masked"] == 2
    kept = [0, 1, 3]
    scores = torch.nn.functional.cosine_similarity(outputs[0][0, None], torch.cat(outputs[1:]), dim=1) / 0.05
    rest = torch.tensor([*kept, *range(4, 8)])
    torch.testing.assert_close(masked.values[0], scores[rest].logsumexp(0) - scores[0])
    assert float(loss(outputs, keys=keys, mask_equal=False).values[0]) == float(free_one(outputs))


def free_one(outputs):
    return loss(outputs).values[0]


@pytest.mark.parametrize(
    ("change", "banned"),
    [
        (lambda keys: keys[1, 0], [(0, 0), (0, 1)]),  # the same query: neither it nor its document
        (lambda keys: keys[1, 1], [(0, 1), (0, 0)]),
        (lambda keys: keys[1, 2], [(0, 2)]),
    ],
)
def test_what_the_keys_ban(change, banned):
    outputs = tuple(one.clone().requires_grad_() for one in vectors(3, rows=2))
    keys = torch.arange(6).reshape(2, 3)
    target = change(keys)
    keys = torch.where(keys == target, keys[0, 1] if int(target) != 3 else keys[0, 0], keys)
    loss(outputs, keys=keys, directions=("query_document", "document_query")).values[0].backward()
    moved = {(0, c) for c in range(3) if outputs[c].grad[1].abs().sum() == 0}
    assert moved == set(banned)


def test_a_guide_masks_as_theirs_does():
    outputs, guide = vectors(3), torch.stack(vectors(3, seed=1), 1)
    got = loss(outputs, extra={"guide": guide}, guide_margin=0.1)
    cosine = torch.nn.functional.cosine_similarity
    threshold = cosine(guide[:, 0], guide[:, 1]) - 0.1
    scores, kept = [], []
    for column in (1, 2):
        scores.append(cosine(outputs[0][:, None], outputs[column][None], dim=2) / 0.05)
        seen = cosine(guide[:, 0][:, None], guide[:, column][None], dim=2) <= threshold[:, None]
        kept.append(seen | torch.eye(6, dtype=torch.bool) if column == 1 else seen)
    logits = torch.cat(scores, 1).masked_fill(~torch.cat(kept, 1), -torch.inf)
    torch.testing.assert_close(got.values, torch.nn.functional.cross_entropy(logits, torch.arange(6), reduction="none"))
    assert got.parts["masked"] == int((~torch.cat(kept, 1)).sum()) > 0


def test_a_queue_gives_further_documents():
    outputs = vectors(2)
    queue = MomentumQueue(size=4, width=5)
    old, numbers = vectors(1, rows=3, seed=5)[0], torch.tensor([100, 101, 102])
    assert torch.equal(loss(outputs, queue=queue).values, loss(outputs).values)
    queue.push(old.float(), numbers)
    negatives = torch.cat([outputs[1], old.float().double()])
    scores = torch.nn.functional.cosine_similarity(outputs[0][:, None], negatives[None], dim=2) / 0.05
    expected = torch.nn.functional.cross_entropy(scores, torch.arange(6), reduction="none")
    torch.testing.assert_close(loss(outputs, queue=queue).values, expected)
    keys = torch.arange(12).reshape(6, 2)
    keys[0, 1] = 101
    assert loss(outputs, keys=keys, queue=queue).parts["masked"] == 1


BLOCKS = {
    "plain": {},
    "directions": {"directions": DIRECTIONS},
    "joint": {"directions": DIRECTIONS, "joint": True},
    "margins": {"margin": 0.1, "angular_margin": 0.2, "directions": DIRECTIONS[:2]},
    "hardness": {"hardness": 3.0, "hardness_on": "all", "directions": DIRECTIONS[:2]},
    "own hardness": {"hardness": 3.0, "hardness_on": "own"},
    "focal dot": {"focal": 2.0, "similarity": "dot", "temperature": 2.0},
    "guide": {"guide_margin": 0.1, "guide_relative": True, "directions": DIRECTIONS},
    "queue": {"directions": DIRECTIONS[:2]},
}


@pytest.mark.parametrize("name", BLOCKS)
@pytest.mark.parametrize("rows", [1, 3])
def test_blocks_of_rows_give_what_the_whole_gives(name, rows, monkeypatch):
    keys = torch.arange(21).reshape(7, 3)
    keys[4, 1], keys[6, 0], keys[5, 2] = keys[0, 1], keys[1, 0], keys[2, 1]
    bias, guide = vectors(1, rows=7, width=3, seed=3)[0], torch.stack(vectors(3, rows=7, seed=1), 1)
    extra = {"candidate_bias": bias, **({"guide": guide} if name == "guide" else {})}
    weights = torch.tensor([1.0, 2.0, 0.0, 1.0, 1.0, 0.5, 1.0], dtype=torch.float64)
    queue = None
    if name == "queue":
        queue = MomentumQueue(size=4, width=5)
        queue.push(vectors(1, rows=3, seed=5)[0].float(), torch.tensor([100, 1, 102]))
    objective = LearnedTemperature(InBatchSoftmax(queue=queue, **BLOCKS[name]), initial=0.3).double()

    def found():
        leaves = [one.requires_grad_() for one in vectors(3, rows=7)]
        losses = objective(tuple(leaves), Batch(tuple(leaves), keys=keys, weights=weights, extra=extra))
        return losses, torch.autograd.grad(losses.mean(), [*leaves, objective.log_scale])

    whole, gradients = found()
    texts = objective.inner._texts(vectors(3, rows=7), Batch(vectors(3, rows=7), keys=keys, extra=extra))
    monkeypatch.setattr(in_batch, "_ENTRIES", rows * objective.inner._candidates_a_row(texts))
    blocks, again = found()
    assert blocks.parts == whole.parts
    torch.testing.assert_close(blocks.values, whole.values, rtol=1e-12, atol=1e-12)
    for one, other in zip(again, gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-12)


def test_a_learned_temperature_finds_its_place():
    objective = LearnedTemperature(InBatchSoftmax(), initial=1.0)
    outputs = vectors(2)
    outputs = (outputs[0], outputs[0] + 0.01 * outputs[1])  # right pairs are nearest: the colder the better
    batch = Batch(outputs)
    objective(outputs, batch).mean().backward()
    assert float(objective.log_scale.grad) < 0
    with torch.no_grad():
        objective.log_scale.fill_(100.0)
        assert objective.temperature().item() == pytest.approx(0.01)


def test_a_bias_by_candidate():
    outputs = vectors(3, rows=4)
    bias = torch.arange(12, dtype=torch.float64).reshape(4, 3) / 10
    scores = [torch.nn.functional.cosine_similarity(outputs[0][:, None], d[None], dim=2) / 0.05 for d in outputs[1:]]
    logits = torch.cat([one + bias[:, c] * (1 - torch.eye(4)) for c, one in enumerate(scores, 1)], 1)
    # an item's own texts keep their scores: the bias speaks of what was drawn as a negative
    expected = torch.nn.functional.cross_entropy(logits, torch.arange(4), reduction="none")
    torch.testing.assert_close(loss(outputs, extra={"candidate_bias": bias}).values, expected)


def test_clear_errors():
    with pytest.raises(UsageError, match="temperature"):
        InBatchSoftmax(temperature=0.0)
    with pytest.raises(UsageError, match="directions"):
        InBatchSoftmax(directions=("query_query",))
    with pytest.raises(UsageError, match="angular"):
        InBatchSoftmax(angular_margin=0.1, similarity="dot")
    with pytest.raises(UsageError, match="at least 2 columns"):
        loss(vectors(1))
    with pytest.raises(UsageError, match="keys do not fit"):
        loss(vectors(2), keys=torch.zeros(6, 3, dtype=torch.int64))
    with pytest.raises(UsageError, match="5 numbers"):
        MomentumQueue(size=2, width=5).push(torch.zeros(2, 4))
    with pytest.raises(UsageError, match="0 vectors"):
        MomentumQueue(size=0, width=5)
    assert float(loss(vectors(2, rows=1)).mean()) == 0.0
