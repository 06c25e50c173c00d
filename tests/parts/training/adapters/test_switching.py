"""Adapters on a base at rest: switched off they leave no trace, and files of two domains can be swapped on one base."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from isogloss.errors import UsageError  # noqa: E402
from isogloss.nn.packing import pack  # noqa: E402
from isogloss.nn.sentence import SentenceModel  # noqa: E402
from isogloss.nn.transformer import Transformer, TransformerConfig  # noqa: E402
from isogloss.training.adapters.bottleneck import Bottleneck, activate, add_bottlenecks  # noqa: E402
from isogloss.training.adapters.output_map import add_output_map  # noqa: E402
from isogloss.training.adapters.store import load_adapter, save_adapter  # noqa: E402

TEXTS = pack([np.array([3, 4, 5, 6]), np.array([7, 8])])


def model(norms=False):
    torch.manual_seed(0)
    made = SentenceModel(
        Transformer(TransformerConfig(vocabulary=20, width=8, layers=2, heads=2, inner=16, dropout=0.0))
    )
    add_bottlenecks(made, size=2, norms=norms)
    return made.eval()


def moved(made, seed):
    """Move what may move, as training would."""
    draw = torch.Generator().manual_seed(seed)
    for one in made.parameters():
        if one.requires_grad:
            one.data += torch.randn(one.shape, generator=draw)
    return made


def test_switched_off_it_is_the_base_to_the_bit():
    clean = model()(TEXTS)
    adapted = moved(model(), 1)
    with_adapters = adapted(TEXTS)
    assert activate(adapted, on=False) == 4
    assert torch.equal(adapted(TEXTS), clean)
    activate(adapted)
    assert torch.equal(adapted(TEXTS), with_adapters)
    assert not torch.allclose(with_adapters, clean, atol=1e-3)


def test_norms_that_moved_stay():
    clean, adapted = model()(TEXTS), moved(model(norms=True), 1)
    activate(adapted, on=False)
    assert not torch.allclose(adapted(TEXTS), clean, atol=1e-3)


def test_two_domains_are_swapped_on_one_base(tmp_path):
    wanted = []
    for seed in (1, 2):
        domain = moved(model(), seed)
        save_adapter(domain, tmp_path / f"{seed}.safetensors")
        wanted.append(domain(TEXTS))
    served = model()
    for number in (0, 1, 0):
        load_adapter(served, tmp_path / f"{number + 1}.safetensors")
        assert torch.equal(served(TEXTS), wanted[number])
    assert not torch.allclose(*wanted, atol=1e-3)


def test_there_must_be_something_to_switch():
    with pytest.raises(UsageError, match="no bottleneck to switch"):
        activate(torch.nn.Linear(2, 2))


def test_a_bottleneck_switched_off_by_hand():
    adapter = Bottleneck(torch.nn.Linear(1, 1), 1)
    adapter.inner.weight.data, adapter.inner.bias.data = torch.tensor([[2.0]]), torch.tensor([1.0])
    adapter.up.bias.data.fill_(5.0)
    assert adapter(torch.tensor([[3.0]])).item() == 12.0
    adapter.active = False
    assert adapter(torch.tensor([[3.0]])).item() == 7.0


def test_an_output_map_begins_as_nothing_and_alone_may_move():
    made = SentenceModel(model().transformer).eval()
    clean = made(TEXTS)
    assert add_output_map(made) == 8 * 8 + 8
    assert torch.allclose(made(TEXTS), clean, atol=1e-7)
    assert {name for name, one in made.named_parameters() if one.requires_grad} == {
        "dense.0.linear.weight", "dense.0.linear.bias"
    }  # fmt: skip
    made.dense[0].linear.weight.data = torch.diag(torch.tensor([1.0] + [0.0] * 7))
    assert torch.allclose(made(TEXTS).abs(), torch.eye(8)[:1].expand(2, -1), atol=1e-6)


def test_an_output_map_leaves_the_callers_draws():
    torch.manual_seed(9)
    expected, made = torch.rand(1), SentenceModel(model().transformer)
    torch.manual_seed(9)
    add_output_map(made)
    assert torch.equal(torch.rand(1), expected)
