"""Distillation, Matryoshka: by hand, by brute force, and as sentence-transformers has them."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch")

from isogloss.errors import UsageError  # noqa: E402
from isogloss.objectives.contract import Batch  # noqa: E402
from isogloss.objectives.distillation import (  # noqa: E402
    FeatureDistillation,
    MarginRegression,
    RelationalDistillation,
    ScoreDivergence,
    TableRegression,
)
from isogloss.objectives.in_batch import InBatchSoftmax  # noqa: E402
from isogloss.objectives.matryoshka import LayerMatryoshka, Matryoshka  # noqa: E402

DRAWN = torch.Generator().manual_seed(2)
Q, D, N, M = (torch.randn(6, 4, generator=DRAWN, dtype=torch.float64) for _ in range(4))
TAUGHT = torch.randn(6, 3, generator=DRAWN, dtype=torch.float64)


def their_losses():
    return pytest.importorskip("sentence_transformers.sentence_transformer.losses")


def value(objective, columns, labels=None, **extra):
    return objective(columns, Batch(columns, labels, extra=extra))


def test_scores_as_theirs():
    theirs = their_losses().DistillKLDivLoss(None, student_temperature=2.0, teacher_temperature=0.5)
    expected = float(theirs.compute_loss_from_embeddings([Q, D, N, M], TAUGHT))
    ours = ScoreDivergence(temperature=2.0, teacher_temperature=0.5)
    assert float(value(ours, (Q, D, N, M), TAUGHT).mean()) == pytest.approx(expected)


def test_scores_over_the_batch_by_hand():
    labels = torch.randn(6, 12, generator=DRAWN, dtype=torch.float64)
    scores = Q @ torch.cat([D, N]).T
    p, logs = labels.softmax(1), scores.log_softmax(1)
    expected = (p * (p.log() - logs)).sum(1)
    torch.testing.assert_close(value(ScoreDivergence(in_batch=True), (Q, D, N), labels).values, expected)
    with pytest.raises(UsageError, match="asks for"):
        value(ScoreDivergence(in_batch=True), (Q, D, N), TAUGHT)


@pytest.mark.parametrize("labels", [TAUGHT, TAUGHT[:, :1] - TAUGHT[:, 1:]])
def test_margins_as_theirs(labels):
    expected = float(their_losses().MarginMSELoss(None).compute_loss_from_embeddings([Q, D, N, M], labels))
    assert float(value(MarginRegression(), (Q, D, N, M), labels).mean()) == pytest.approx(expected)
    with pytest.raises(UsageError, match="there are 1 negatives"):
        value(MarginRegression(), (Q, D, N), torch.zeros(6, 4))


@pytest.mark.parametrize(("error", "name"), [("squared", "mse"), ("euclidean", "l2"), ("cosine", "cosine")])
def test_vectors_as_theirs(error, name):
    theirs = their_losses().EmbedDistillLoss(None, distance_metric=name)
    expected = float(theirs.compute_loss_from_embeddings([Q, D], [N, N]))
    assert float(value(FeatureDistillation(error=error), (Q, D), teacher=N).mean()) == pytest.approx(expected)
    each = float(theirs.compute_loss_from_embeddings([Q, D], [N, M]))
    assert float(value(FeatureDistillation(error=error), (Q, D), torch.stack([N, M], 1)).mean()) == pytest.approx(each)


def test_widths_must_fit():
    with pytest.raises(UsageError, match="teacher_width"):
        value(FeatureDistillation(), (Q,), teacher=TAUGHT)
    with pytest.raises(UsageError, match="is needed"):
        value(FeatureDistillation(), (Q, D), teacher=torch.stack([N, M, N], 1))
    with pytest.raises(UsageError, match="has none"):
        value(FeatureDistillation(), (Q, D))


def test_a_projection_learns():
    torch.manual_seed(0)
    objective = FeatureDistillation(width=4, teacher_width=3).double()
    target = Q @ torch.randn(4, 3, generator=DRAWN, dtype=torch.float64)
    mover = torch.optim.Adam(objective.parameters(), lr=0.1)
    for _ in range(300):
        mover.zero_grad()
        value(objective, (Q,), teacher=target).mean().backward()
        mover.step()
    assert float(value(objective, (Q,), teacher=target).mean().detach()) < 1e-3


def test_relations_by_brute_force():
    def relations(x):
        between = torch.cdist(x, x)
        other = ~torch.eye(len(x), dtype=torch.bool)
        angles = [
            torch.nn.functional.normalize(x[i] - x[j], dim=0) @ torch.nn.functional.normalize(x[k] - x[j], dim=0)
            for j in range(len(x)) for i in range(len(x)) for k in range(len(x))
        ]  # fmt: skip
        return (between / between[other].mean())[other], torch.stack(angles)

    own, taught = relations(Q), relations(N)
    huber = torch.nn.functional.smooth_l1_loss
    expected = 1.5 * huber(own[0], taught[0]) + 0.5 * huber(own[1], taught[1])
    got = value(RelationalDistillation(distance=1.5, angle=0.5), (Q,), teacher=N).mean()
    torch.testing.assert_close(got, expected)
    turn = torch.linalg.qr(torch.randn(4, 4, generator=DRAWN, dtype=torch.float64))[0]
    moved = value(RelationalDistillation(), (Q,), teacher=3 * Q @ turn + 1).mean()
    assert float(moved) == pytest.approx(0.0, abs=1e-9)
    assert float(value(RelationalDistillation(), (Q[:1],), teacher=N[:1]).mean()) == 0.0


def test_a_table_learns_its_rows():
    objective = TableRegression(torch.zeros(3, 4), torch.ones(3, 4))
    objective((), Batch((torch.tensor([0, 2]),))).mean().backward()
    assert objective.table.grad[1].abs().sum() == 0
    torch.testing.assert_close(objective.table.grad[0], torch.full((4,), -0.25))
    with pytest.raises(UsageError, match="differ in shape"):
        TableRegression(torch.zeros(3, 4), torch.zeros(3, 5))


def test_widths_add_up():
    inner, batch = InBatchSoftmax(), Batch((Q, D))
    whole = Matryoshka(inner, widths=(2, 4), factors=(0.5, 1.0))((Q, D), batch)
    parts = [float(inner((Q[:, :w], D[:, :w]), batch).mean()) for w in (2, 4)]
    assert float(whole.mean()) == pytest.approx(0.5 * parts[0] + parts[1])
    assert float(whole.parts["2"]) == pytest.approx(parts[0])
    taught = Matryoshka(FeatureDistillation(), widths=(2,))((Q,), Batch((Q,), extra={"teacher": N}))
    assert float(taught.mean()) == pytest.approx(float((Q[:, :2] - N[:, :2]).square().mean()))
    with pytest.raises(UsageError, match="vectors have 4"):
        Matryoshka(inner, widths=(8,))((Q, D), batch)
    with pytest.raises(UsageError, match="one factor"):
        Matryoshka(inner, widths=(2, 4), factors=(1.0,))
    with pytest.raises(UsageError, match="widths are"):
        Matryoshka(inner, widths=())
    assert not Matryoshka(SimpleNamespace(cacheable=False), widths=(2,)).cacheable


def test_layers_add_up():
    batch, inner = Batch((Q, D)), InBatchSoftmax()
    whole = LayerMatryoshka(inner, earlier=0.5, alignment=2.0, temperature=0.4)({1: (N, M), 2: (Q, D)}, batch)
    each = [float(inner(pair, batch).mean()) for pair in ((N, M), (Q, D))]
    targets = [(one / 0.4).softmax(1) for one in (Q, D)]
    logs = [(one / 0.4).log_softmax(1) for one in (N, M)]
    divergence = sum(float((p * (p.log() - log)).sum(1).mean()) for p, log in zip(targets, logs, strict=True)) / 2 * 0.4
    assert float(whole.mean()) == pytest.approx(each[1] + 0.5 * (each[0] + 2 * divergence))
    last = Q.clone().requires_grad_()
    parts = LayerMatryoshka(SimpleNamespace(cacheable=True, __call__=None), alignment=1.0)
    assert not parts.cacheable
    drawn = LayerMatryoshka(inner, earlier=1.0)({1: (N, M), 2: (last, D)}, batch)
    drawn.mean().backward()
    alone = Q.clone().requires_grad_()
    inner((alone, D), batch).mean().backward()
    torch.testing.assert_close(last.grad, alone.grad)  # the whole model is not drawn towards its first layers
    with pytest.raises(UsageError, match="no layers"):
        LayerMatryoshka(inner)({}, batch)
