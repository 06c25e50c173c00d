"""Pooling, dense layers and the sentence model, beside the runtime's NumPy."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from isogloss.encoders import pooling as plain  # noqa: E402
from isogloss.encoders.batching import padded  # noqa: E402
from isogloss.nn.packing import join, pack  # noqa: E402
from isogloss.nn.pooling import pool  # noqa: E402
from isogloss.nn.sentence import DenseLayer, Normalise, SentenceModel  # noqa: E402
from isogloss.nn.transformer import Transformer, TransformerConfig  # noqa: E402

MODES = ["cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"]


@pytest.mark.parametrize("skip", [0, 2])
@pytest.mark.parametrize("mode", MODES)
def test_pooling_is_the_runtimes(mode, skip):
    lengths = np.array([3, 1, 5, 2])
    rng = np.random.default_rng(0)
    rows = [rng.standard_normal((length, 4)).astype(np.float32) for length in lengths]
    packed = pack([np.zeros(length, np.int64) for length in lengths])
    matrix = np.zeros((4, 5, 4), np.float32)
    for place, row in zip(matrix, rows, strict=True):
        place[: len(row)] = row
    wanted = plain.pool(matrix, lengths, [mode, "mean"], skip=skip)
    found = pool(torch.from_numpy(np.concatenate(rows)), packed, [mode, "mean"], skip=skip)
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-5, atol=1e-6)
    assert padded([row[:, 0].astype(np.int64) for row in rows]).shape == (4, 5)


def tiny(**options):
    torch.manual_seed(0)
    config = TransformerConfig(vocabulary=30, width=16, layers=2, heads=2, inner=32, positions=12)
    return SentenceModel(Transformer(config), **options)


def some_texts():
    return [pack([np.array([1, 2, 3]), np.array([4])]), pack([np.array([5, 6])])]


def test_joined_texts_have_the_vectors_of_the_parts():
    model, parts = tiny().eval(), some_texts()
    together = model(join(parts))
    torch.testing.assert_close(together, torch.cat([model(part) for part in parts]), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(together.norm(dim=1), torch.ones(3))


def test_every_parameter_gets_a_gradient():
    dense = [DenseLayer(32, 8, residual=True), Normalise(), DenseLayer(8, 5, activation="Softmax", bias=False)]
    model = tiny(pooling=("mean", "cls"), dense=dense, normalise=False).train()
    assert model.dimensions == 5
    vectors = model(join(some_texts()))
    assert vectors.shape == (3, 5)
    torch.testing.assert_close(vectors.sum(1), torch.ones(3))
    (vectors * torch.randn(3, 5)).sum().backward()
    without = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum()]
    # a key's bias moves all scores of a query alike, which the soft-max does not see
    assert [name for name in without if not name.endswith("key.bias")] == []


def test_the_gradient_of_the_whole_model_by_differences():
    model, texts = tiny().double().eval(), join(some_texts())
    target = torch.randn(3, 16, dtype=torch.float64)
    parameter = model.transformer.layers[0].query.weight

    def loss():
        states = model.transformer(texts)
        return (states.new_zeros(3, 16).index_add(0, texts.texts(), states) * target).sum()

    (gradient,) = torch.autograd.grad(loss(), parameter)
    for place in ((0, 0), (3, 7), (15, 2)):
        with torch.no_grad():
            parameter[place] += 1e-5
            above = loss()
            parameter[place] -= 2e-5
            below = loss()
            parameter[place] += 1e-5
        assert float((above - below) / 2e-5) == pytest.approx(float(gradient[place]), rel=1e-5, abs=1e-8)


def test_dropout_follows_the_seed():
    model, texts = tiny().train(), join(some_texts())

    def run(seed):
        torch.manual_seed(seed)
        return model(texts)

    with torch.random.fork_rng():
        assert torch.equal(run(1), run(1))
        assert not torch.equal(run(1), run(2))
