"""Translation without pairs: its losses by hand, its networks, and a planted map that it finds."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from isogloss.errors import UsageError  # noqa: E402
from isogloss.nn.translator import Critics, Residual, Translator  # noqa: E402
from isogloss.objectives.contract import Batch  # noqa: E402
from isogloss.objectives.translation import Translations, UnpairedTranslation, preservation  # noqa: E402
from isogloss.training.translation import Network, UnpairedBatches, fit_translator, moment_distance  # noqa: E402

DRAWN = torch.Generator().manual_seed(0)
X, Y, Z, W = (torch.randn(5, 3, generator=DRAWN, dtype=torch.float64) for _ in range(4))


def test_losses_by_hand():
    scores = torch.arange(5, dtype=torch.float64)
    outputs = Translations((X, Y), (Z, W), (X + 1, Y + 2), (X - 3, Y), (scores, scores))
    objective = UnpairedTranslation(adversarial=2.0, reconstruction=3.0, cycle=5.0, preservation=7.0)
    losses = objective(outputs, Batch((X, Y)))
    cosine = torch.nn.functional.cosine_similarity
    kept = torch.zeros(5, dtype=torch.float64)
    for own, made in ((X, W), (Y, Z)):
        for i in range(5):
            kept[i] += sum(
                (cosine(own[i], own[j], dim=0) - cosine(made[i], made[j], dim=0)).abs() for j in range(5) if j != i
            ) / 4  # fmt: skip
    torch.testing.assert_close(losses.values, 2 * 2 * (scores - 1) ** 2 + 3 * (1 + 4) + 5 * 9 + 7 * kept)
    assert float(losses.parts["cycle"]) == pytest.approx(9)


def test_a_rotation_keeps_all_similarities():
    turn = torch.linalg.qr(torch.randn(3, 3, generator=DRAWN, dtype=torch.float64))[0]
    assert float(preservation(X, 3 * X @ turn).max()) == pytest.approx(0, abs=1e-9)
    assert float(preservation(X, Y).min()) > 0
    assert preservation(X[:1], Y[:1]).tolist() == [0.0]


def test_ways_through_the_network():
    torch.manual_seed(0)
    translator = Translator((3, 5), latent=4, inner=6)
    x, y = torch.randn(7, 3), torch.randn(7, 5)
    assert torch.equal(translator.translate(x, 0), translator.adapt_out[1](translator.latent(x, 0)))
    assert tuple(translator.translate(y, 1).shape) == (7, 3)
    assert tuple(translator.rebuild(y, 1).shape) == (7, 5)
    same = Translator((4, 4), latent=4, inner=6, start="identity")
    z = torch.randn(7, 4)
    assert torch.equal(same.translate(z, 0), z)
    block = Residual(3, 6)
    with torch.no_grad():
        block.down.bias.fill_(1.0)
    assert torch.equal(block(x), x + 1)


def test_critics_send_no_gradient_to_what_they_judge():
    torch.manual_seed(0)
    translator, critics = Translator((3, 5), latent=4, inner=6), Critics((3, 5), latent=4, inner=6)
    x, y = torch.randn(7, 3), torch.randn(7, 5)
    true, made = critics.told(translator, x, y)
    assert true.shape == made.shape == (21,)
    (true.sum() + made.sum()).backward()
    assert all(one.grad is None for one in translator.parameters())
    assert all(one.grad is not None for one in critics.parameters())
    sum(one.sum() for one in critics.fooled(translator, x, y)).backward()
    assert all(one.grad is not None for one in translator.adapt_in.parameters())


def test_moments_by_hand():
    x = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    assert moment_distance(x, x + torch.tensor([3.0, 0.0])) == pytest.approx(9 / 4)
    assert moment_distance(x, 2 * x) == pytest.approx((8 - 2) ** 2 / 4)


def planted(n, seed):
    """A skewed cloud whose axes have unlike lengths, in two samples, the second one turned a little."""
    drawn = np.random.default_rng(seed)
    cloud = drawn.exponential(size=(3 * n, 4)) - 1
    cloud *= np.array([1.6, 1.2, 0.8, 0.5])
    angle = 0.6
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return cloud[:n], cloud[n : 2 * n] @ turn, cloud[2 * n :], cloud[2 * n :] @ turn


@pytest.mark.slow
def test_a_planted_map_is_found():
    first, second, asked, truth = planted(1500, 0)
    fitted = fit_translator(
        first, second, network=Network(latent=4, inner=32, start="identity"), steps=500, restarts=1, batch_size=128,
        objective=UnpairedTranslation(game="nonsaturating"),
    )  # fmt: skip
    before = np.linalg.norm(asked - truth, axis=1).mean()
    after = np.linalg.norm(fitted.translate(asked) - truth, axis=1).mean()
    assert after < 0.6 * before
    assert np.linalg.norm(fitted.translate(fitted.translate(asked), back=True) - asked, axis=1).mean() < 0.5 * before


def test_the_order_of_rows_and_the_seed():
    first, second, asked, _ = planted(40, 1)
    options = {"network": Network(latent=4, inner=8), "steps": 3, "restarts": 2, "batch_size": 16}
    fitted = fit_translator(first, second, **options)
    mixed = fit_translator(first, second[::-1], **options)
    np.testing.assert_array_equal(fitted.translate(asked), mixed.translate(asked))
    assert fitted.losses == mixed.losses == tuple(sorted(fitted.losses))
    assert not np.array_equal(
        fitted.translate(asked), fit_translator(first, second, seed=1, **options).translate(asked)
    )


def test_batches_are_functions_of_the_step():
    batches = UnpairedBatches(X, Y[:4], 3, 0)
    assert torch.equal(batches(2).columns[1], batches(2).columns[1])
    assert not torch.equal(batches(2).columns[0], batches(3).columns[0])


def test_clear_errors():
    with pytest.raises(UsageError, match="second space has too few"):
        fit_translator(np.zeros((200, 3)), np.zeros((20, 3)))
    broken = np.zeros((200, 3))
    broken[4, :2] = np.nan
    with pytest.raises(UsageError, match="2 of them"):
        fit_translator(broken, np.zeros((200, 3)))
