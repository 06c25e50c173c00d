"""Fused functions beside their plain twins, with gradients by finite differences."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from isogloss.nn import fused  # noqa: E402
from isogloss.nn.packing import pack  # noqa: E402


def packed_of(lengths):
    return pack([np.zeros(length, np.int64) for length in lengths])


def plain_attention(qkv, offsets, heads, *, causal=False):
    """One text at a time by torch's own function."""
    parts = []
    for start, stop in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
        one = qkv[start:stop].view(stop - start, 3, heads, -1).permute(1, 2, 0, 3)  # (3, heads, L, d)
        seen = torch.nn.functional.scaled_dot_product_attention(*one, is_causal=causal)  # (heads, L, d)
        parts.append(seen.transpose(0, 1).reshape(stop - start, -1))
    return torch.cat(parts)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(("grad", "longest"), [(False, 90), (True, 90), (True, 150)])
def test_attention_by_buckets_is_attention_by_text(causal, grad, longest):
    lengths = [3, longest, 1, 4, 4, 2, longest - 2]
    packed = packed_of(lengths)
    generator = torch.Generator().manual_seed(0)
    qkv = torch.randn(sum(lengths), 3 * 8, generator=generator, requires_grad=grad)
    chosen = fused.buckets(packed.offsets, causal=causal)
    assert len(chosen) > 1
    assert any(bucket.hidden is not None for bucket in chosen)
    ours = fused.attend(qkv, chosen, heads=2)
    theirs = plain_attention(qkv, packed.offsets, 2, causal=causal)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)
    if grad:
        weights = torch.randn(ours.shape, generator=generator)
        (mine,) = torch.autograd.grad((ours * weights).sum(), qkv)
        (other,) = torch.autograd.grad((theirs * weights).sum(), qkv)
        torch.testing.assert_close(mine, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_gradient_of_attention_by_finite_differences(share):
    packed = packed_of([2, 3, 1])
    chosen = fused.buckets(packed.offsets, causal=False)
    qkv = torch.randn(6, 3 * 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1), requires_grad=True)

    def seen(x):
        with torch.random.fork_rng():
            torch.manual_seed(5)  # the same weights are dropped at each call
            return fused.attend(x, chosen, 2, share)

    assert torch.autograd.gradcheck(seen, (qkv,))


def test_dropped_attention_is_attention_on_average():
    packed = packed_of([5, 4])
    chosen = fused.buckets(packed.offsets, causal=False)
    qkv = torch.randn(9, 3 * 8, generator=torch.Generator().manual_seed(2))
    with torch.random.fork_rng():
        torch.manual_seed(3)
        mean = torch.stack([fused.attend(qkv, chosen, 2, 0.2) for _ in range(4000)]).mean(0)
    torch.testing.assert_close(mean, fused.attend(qkv, chosen, 2), rtol=0.05, atol=0.05)


@given(st.lists(st.integers(0, 300), min_size=1, max_size=40))
def test_buckets_hold_each_token_once(lengths):
    packed = packed_of(lengths)
    found = []
    for bucket in fused.buckets(packed.offsets, causal=False):
        assert len(bucket.rows) == bucket.texts * bucket.longest
        found += (bucket.rows if bucket.real is None else bucket.rows[bucket.real]).tolist()
    assert sorted(found) == list(range(sum(lengths)))


@given(st.lists(st.integers(1, 400), min_size=1, max_size=7))
def test_cut_points_cost_least(lengths):
    lengths = sorted(lengths)

    def cost(runs):
        return sum((stop - start) * lengths[stop - 1] ** 2 + fused._BUCKET_COST for start, stop in runs)

    def every(start):
        if start == len(lengths):
            yield []
        for stop in range(start + 1, len(lengths) + 1):
            yield from ([(start, stop), *rest] for rest in every(stop))

    assert cost(fused.cut_points(lengths)) == min(map(cost, every(0)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_dropout_keeps_its_share_and_its_mean(dtype):
    x = torch.ones(200_000, dtype=dtype)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        y = fused.FastDropout(0.1)(x)
        torch.manual_seed(0)
        again = fused.FastDropout(0.1)(x)
    assert torch.equal(y, again)
    kept = y != 0
    assert abs(float(kept.double().mean()) - 0.9) < 5 * (0.09 / len(x)) ** 0.5
    torch.testing.assert_close(y[kept].double().mean(), torch.tensor(1 / 0.9, dtype=torch.float64), rtol=4e-3, atol=0)
    neighbours = torch.corrcoef(torch.stack([kept[:-1], kept[1:]]).double())[0, 1]
    assert abs(float(neighbours)) < 0.012


def test_dropout_sends_the_gradient_where_it_kept():
    x = torch.randn(1000, requires_grad=True)
    y = fused.FastDropout(0.4)(x)
    y.sum().backward()
    torch.testing.assert_close(x.grad, torch.where(y == 0, 0.0, (y / x).detach()), rtol=1e-5, atol=1e-6)
    assert fused.FastDropout(0.4).eval()(x) is x
    with pytest.raises(ValueError, match="cannot be dropped"):
        fused.FastDropout(1.0)


def test_half_linears_are_linears_within_rounding():
    layers = [torch.nn.Linear(64, size) for size in (32, 16)]
    x = torch.randn(50, 64, requires_grad=True)
    plain = fused.linears(x, layers)
    assert plain.dtype == torch.float32
    torch.testing.assert_close(plain, torch.cat([layer(x) for layer in layers], dim=1))
    upstream = torch.randn(50, 48)
    parameters = [x, *(p for layer in layers for p in layer.parameters())]
    wanted = torch.autograd.grad((plain * upstream).sum(), parameters)
    with fused.half_precision():
        half = fused.linears(x, layers)
    assert half.dtype == torch.bfloat16
    found = torch.autograd.grad((half.float() * upstream).sum(), parameters)
    torch.testing.assert_close(half.float(), plain, rtol=0.02, atol=0.02)
    for mine, other in zip(found, wanted, strict=True):
        assert mine.dtype == torch.float32
        assert float((mine - other).norm() / other.norm()) < 0.01  # 8 bits of mantissa: 2^-9 a number


def test_frozen_weights_and_adapters_in_half_precision():
    class Doubled(torch.nn.Linear):
        def forward(self, x):
            return 2 * super().forward(x)

    frozen, adapted = torch.nn.Linear(8, 4, bias=False).requires_grad_(False), Doubled(8, 4)
    x = torch.randn(3, 8)
    with fused.half_precision():
        still = fused.linears(x.requires_grad_(), [frozen])
        other = fused.linears(x, [adapted])
    still.float().sum().backward()
    assert frozen.weight.grad is None
    torch.testing.assert_close(x.grad, frozen.weight.sum(0).expand(3, -1), rtol=0.02, atol=0.02)
    torch.testing.assert_close(other.float(), adapted(x), rtol=0.03, atol=0.03)


def test_half_weights_follow_a_fused_optimiser():
    layer = torch.nn.Linear(4, 4)
    mover = torch.optim.SGD(layer.parameters(), lr=1.0, fused=True)
    x = torch.ones(1, 4)
    with fused.half_precision():
        before = fused.linears(x, [layer])
    before.float().sum().backward()
    mover.step()
    with fused.half_precision():
        after = fused.linears(x, [layer])
    torch.testing.assert_close(after.float(), before.float() - 5, rtol=0.02, atol=0.05)  # four weights and the bias
