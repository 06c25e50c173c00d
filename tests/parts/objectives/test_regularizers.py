"""Regularizers, attention and games: by hand, by brute force, and as sentence-transformers has them."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")

from isogloss.errors import UsageError  # noqa: E402
from isogloss.objectives.adversarial import DiscriminatorLoss, GeneratorLoss, squared_gradient  # noqa: E402
from isogloss.objectives.attention import AttentionMutualInformation, AttentionTransfer  # noqa: E402
from isogloss.objectives.contract import Batch  # noqa: E402
from isogloss.objectives.regularizers import AlignmentUniformity, BarlowTwins, Sparsity, Spread, VICReg  # noqa: E402

DRAWN = torch.Generator().manual_seed(4)
X, Y = (torch.randn(7, 4, generator=DRAWN, dtype=torch.float64) for _ in range(2))


def value(objective, *columns, **extra):
    return float(objective(columns, Batch(columns, extra=extra)).mean())


@pytest.mark.parametrize("alpha", [2.0, 1.0])
def test_alignment_and_uniformity_by_brute_force(alpha):
    points = [torch.nn.functional.normalize(one) for one in (X, Y)]
    close = sum(float((a - b).norm() ** alpha) for a, b in zip(*points, strict=True)) / 7
    spread = [
        math.log(sum(math.exp(-3 * float((p[i] - p[j]).norm() ** 2)) for i in range(7) for j in range(i)) / 21)
        for p in points
    ]
    objective = AlignmentUniformity(alpha=alpha, t=3.0, alignment=0.5, uniformity=2.0)
    assert value(objective, X, Y) == pytest.approx(0.5 * close + sum(spread))


def test_decorrelation_by_hand():
    def standard(x):
        return (x - x.mean(0)) / (x.var(0, correction=0) + 1e-5).sqrt()

    c = standard(X).T @ standard(Y) / 7
    expected = sum((float(c[i, j]) - (i == j)) ** 2 * (1 if i == j else 0.1) for i in range(4) for j in range(4))
    assert value(BarlowTwins(off_diagonal=0.1), X, Y) == pytest.approx(expected)
    parts = [float((X - Y).square().mean())]
    for one in (X, Y):
        deviation = (one.var(0) + 1e-4).sqrt()
        parts.append(float((2 - deviation).clamp_min(0).mean()) / 2)
        mixed = torch.cov(one.T)
        parts.append(sum(float(mixed[i, j] ** 2) for i in range(4) for j in range(4) if i != j) / 4)
    expected = 3 * parts[0] + 5 * (parts[1] + parts[3]) + 7 * (parts[2] + parts[4])
    assert value(VICReg(invariance=3.0, variance=5.0, covariance=7.0, least=2.0), X, Y) == pytest.approx(expected)


def test_sparsity_by_hand():
    assert value(Sparsity(), X) == pytest.approx(float(X.abs().mean(0).square().sum()))
    assert value(Sparsity(kind="l1"), X, Y) == pytest.approx(float((X.abs().sum(1) + Y.abs().sum(1)).mean() / 2))
    assert value(Sparsity(kind="l1", columns=(1,)), X, Y) == pytest.approx(float(Y.abs().sum(1).mean()))
    counted = value(Sparsity(kind="l0", width=0.5), X)
    assert counted == pytest.approx(float((X**2 / (X**2 + 0.25)).sum(1).mean()))


def test_spread_as_theirs():
    losses = pytest.importorskip("sentence_transformers.sentence_transformer.losses")
    theirs = losses.GlobalOrthogonalRegularizationLoss(None, mean_weight=2.0, second_moment_weight=3.0)
    crowded = X + 2
    parts = theirs.compute_loss_from_embeddings([crowded, Y])
    assert value(Spread(mean=2.0, second=3.0), crowded, Y) == pytest.approx(float(sum(parts.values())))


def test_one_item_has_no_spread():
    for objective in (Spread(), BarlowTwins(), VICReg(invariance=0.0), AlignmentUniformity(alignment=0.0)):
        assert value(objective, X[:1], Y[:1]) == 0.0


def attention(seed, items=2, heads=3, longest=4):
    drawn = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(items, heads, longest, 5, generator=drawn, dtype=torch.float64) for _ in range(3))


def test_attention_transfer_by_brute_force():
    student, teacher, lengths = attention(0), attention(1), [4, 2]
    batch = Batch((torch.zeros(2),), extra={"teacher": teacher, "lengths": torch.tensor(lengths)})
    expected = []
    for item, length in enumerate(lengths):
        total = 0.0
        for left, right in ((0, 1), (2, 2)):
            for head in range(3):
                p, q = ((s[left][item, head, :length] @ s[right][item, head, :length].T / math.sqrt(5)).softmax(1)
                        for s in (teacher, student))  # fmt: skip
                total += float((p * (p / q).log()).sum()) / (3 * length)
        expected.append(total)
    assert AttentionTransfer()(student, batch).values.tolist() == pytest.approx(expected)
    with pytest.raises(UsageError, match="same texts, heads"):
        AttentionTransfer()(student, Batch((torch.zeros(2),), extra={"teacher": attention(1, heads=2)}))
    with pytest.raises(UsageError, match="projections"):
        AttentionTransfer()(student, Batch((torch.zeros(2),)))


def test_attention_information_by_brute_force():
    maps = [(one[0] @ one[1].transpose(-1, -2)).softmax(-1) for one in (attention(2), attention(3))]
    lengths = [4, 3]
    expected = []
    for item, length in enumerate(lengths):
        found = []
        for head in range(3):
            pair = torch.stack([one[item, head, :length, :length].log().flatten() for one in maps])
            found.append(0.5 * math.log(1 - float(torch.corrcoef(pair)[0, 1]) ** 2))
        expected.append(sum(found) / 3)
    batch = Batch((torch.zeros(2),), extra={"lengths": torch.tensor(lengths)})
    assert AttentionMutualInformation()(tuple(maps), batch).values.tolist() == pytest.approx(expected)
    even = torch.full((2, 3, 4, 4), 0.25, requires_grad=True)
    whole = AttentionMutualInformation()((even, maps[0].float()), batch).mean()
    whole.backward()
    assert float(whole.detach()) == 0.0
    assert bool(even.grad.isfinite().all())
    same = AttentionMutualInformation()((maps[0], maps[0]), batch).values
    assert bool(same.isfinite().all())


def test_games_by_hand():
    true, made = torch.tensor([2.0, 0.3]), torch.tensor([0.7, -1.0])
    batch = Batch((torch.zeros(2),))

    def paid(game, **more):
        return DiscriminatorLoss(game=game, **more)((true, made), batch).values.tolist()

    assert paid("least_squares") == pytest.approx([1 + 0.49, 0.49 + 1])
    assert paid("hinge") == pytest.approx([1.7, 0.7])
    soft = [math.log1p(math.exp(-t)) + math.log1p(math.exp(m)) for t, m in ((2.0, 0.7), (0.3, -1.0))]
    assert paid("nonsaturating") == pytest.approx(soft)
    squares = torch.tensor([1.0, 4.0])
    penalised = DiscriminatorLoss(penalty=3.0)((true, made, squares), batch).values.tolist()
    assert penalised == pytest.approx([1 + 0.49 + 1.5, 0.49 + 1 + 6])
    assert GeneratorLoss()((made, true), batch).values.tolist() == pytest.approx([0.09 + 1, 4 + 0.49])
    assert GeneratorLoss(game="hinge")((made,), batch).values.tolist() == pytest.approx([-0.7, 1.0])


def test_a_penalty_is_the_slope():
    x = X.clone().requires_grad_()
    slope = torch.arange(4.0, dtype=torch.float64)
    assert squared_gradient(((x * slope).sum(1)) ** 2, x).tolist() == pytest.approx(
        (4 * (X @ slope) ** 2 * slope.square().sum()).tolist()
    )
