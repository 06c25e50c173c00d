"""The time-delay network: pooling by hand, against plain convolutions, and padding that must not matter."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch.nn import functional  # noqa: E402

from isogloss.errors import UsageError  # noqa: E402
from isogloss.nn.time_delay import TimeDelayNetwork, statistics_pooling  # noqa: E402
from isogloss.training.randomness import seeded  # noqa: E402


@pytest.fixture
def network():
    with seeded(0):
        return TimeDelayNetwork(4, 3, width=6, dimensions=5).eval()


def frames(count, length, seed=1):
    with seeded(seed):
        return torch.randn(count, length, 4)


def test_pooling_by_hand():
    states = torch.tensor([[[1.0, 2.0], [3.0, 2.0]], [[5.0, 0.0], [9.0, 9.0]]])
    found = statistics_pooling(states, torch.tensor([2, 1]))
    torch.testing.assert_close(found, torch.tensor([[2.0, 2.0, 1.0, 0.0], [5.0, 0.0, 0.0, 0.0]]), atol=2e-4, rtol=0)


def test_as_dilated_convolutions(network):
    x = frames(2, 20)
    state = x.transpose(1, 2)  # (n, bands, t)
    for i, (kernel, dilation) in enumerate(((5, 1), (3, 2), (3, 3), (1, 1))):
        layer = network.delays[i]
        weight = layer.weight.view(6, kernel, -1).transpose(1, 2)  # (width, bands, kernel)
        made = functional.conv1d(state, weight, layer.bias, padding=dilation * (kernel // 2), dilation=dilation)
        state = network.norms[i](torch.relu(made).transpose(1, 2)).transpose(1, 2)
    pooled = torch.cat([state.mean(2), state.var(2, unbiased=False).add(1e-8).sqrt()], 1)
    torch.testing.assert_close(network.embed(x), network.embedding(pooled), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("length", [1, 7, 19])
def test_neither_padding_nor_neighbours_matter(network, length):
    x = frames(3, 20)
    lengths = torch.tensor([20, length, 20])
    alone = network.embed(x[1:2, :length])
    torch.testing.assert_close(network.embed(x, lengths)[1:2], alone, atol=1e-5, rtol=1e-5)
    x[1, length:] = 1e6
    torch.testing.assert_close(network.embed(x, lengths)[1:2], alone, atol=1e-5, rtol=1e-5)


def test_every_parameter_gets_a_gradient(network):
    network(frames(4, 15)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


def test_even_kernels_are_refused():
    with pytest.raises(UsageError, match="centred"):
        TimeDelayNetwork(4, 3, layers=((4, 1),))
