"""The encoder-decoder: cached decoding is the full pass, and nobody sees what comes later."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from isogloss.errors import UsageError  # noqa: E402
from isogloss.nn.packing import pack  # noqa: E402
from isogloss.nn.seq2seq import Seq2Seq, Seq2SeqConfig  # noqa: E402
from isogloss.nn.transformer import TransformerConfig  # noqa: E402

SIZES = TransformerConfig(vocabulary=11, width=12, layers=1, heads=3, inner=20, positions=16)


def made(seed=0, scale=1.5, **settings):
    """A small model with large weights, so that attention is far from uniform."""
    torch.manual_seed(seed)
    chosen = {"encoder": SIZES, "layers": 2, "positions": 8, "extra": 3, "start": 1, "end": 2} | settings
    model = Seq2Seq(Seq2SeqConfig(**chosen)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.mul_(scale)
    return model


def packed(rows):
    return pack([np.array(row, np.int64) for row in rows])


def stepwise(model, sources, targets):
    """The logits of one source and one target, token by token."""
    state, before, found = model.begin(packed([sources])), model.start, []
    for token in targets:
        logits, state = model.step(state, torch.tensor([before]))
        found.append(logits[0])
        before = token
    return torch.stack(found)


texts = st.lists(st.integers(0, 10), min_size=1, max_size=7)
outputs = st.lists(st.integers(0, 13), min_size=1, max_size=6)


@given(st.lists(st.tuples(texts, outputs), min_size=1, max_size=4))
def test_cached_decoding_gives_the_logits_of_the_full_pass(pairs):
    model = made()
    with torch.no_grad():
        full = model(packed([source for source, _ in pairs]), packed([target for _, target in pairs]))
        single = torch.cat([stepwise(model, source, target) for source, target in pairs])
    assert full.shape == (sum(len(target) for _, target in pairs), 14)
    assert torch.allclose(full, single, atol=2e-5)


def test_decoding_of_several_sources_in_one_batch_is_decoding_one_by_one():
    model = made()
    sources, targets = [[4, 5, 6, 7], [3], [8, 9]], [[5, 13], [12, 0], [3, 3]]
    state, tokens, found = model.begin(packed(sources)), torch.full((3,), model.start), []
    for place in range(2):
        logits, state = model.step(state, tokens)
        found.append(logits)
        tokens = torch.tensor([row[place] for row in targets])
    for row in range(3):
        assert torch.allclose(torch.stack(found)[:, row], stepwise(model, sources[row], targets[row]), atol=2e-5)
    assert (len(state), state.length) == (3, 2)


def test_selected_rows_go_on_as_their_own_outputs():
    model = made()
    state = model.begin(packed([[4, 5, 6], [3]]))
    _, state = model.step(state, torch.tensor([1, 1]))
    chosen = state.select(torch.tensor([1, 1, 0]))
    logits, _ = model.step(chosen, torch.tensor([5, 6, 5]))
    whole, _ = model.step(state, torch.tensor([5, 5]))
    assert torch.allclose(logits[[2, 0]], whole, atol=1e-5)
    assert not torch.allclose(logits[0], logits[1], atol=1e-3)


def test_no_token_sees_a_later_one_and_each_sees_its_source():
    model = made()
    first = model(packed([[4, 5]]), packed([[3, 4, 5]]))
    later = model(packed([[4, 5]]), packed([[3, 4, 9]]))
    other = model(packed([[4, 6]]), packed([[3, 4, 5]]))
    earlier = model(packed([[4, 5]]), packed([[7, 4, 5]]))
    assert torch.equal(first, later)  # the last token of a target is read by nobody
    assert torch.equal(first[0], earlier[0])
    assert not torch.allclose(first[1], earlier[1], atol=1e-3)
    assert not torch.allclose(first[0], other[0], atol=1e-3)


def test_by_hand_a_decoder_without_layers_scores_the_table_by_the_last_token():
    model = made(layers=0)
    with torch.no_grad():
        logits = model(packed([[4]]), packed([[6, 2]]))
        words = torch.cat([model.encoder.embeddings.word.weight, model.extra.weight])
        for place, read in enumerate((1, 6)):  # the start row, then the first target
            state = words[read] + model.position.weight[place]
            state = (state - state.mean()) / torch.sqrt(state.var(unbiased=False) + 1e-12)
            state = (state - state.mean()) / torch.sqrt(state.var(unbiased=False) + 1e-12)
            assert torch.allclose(logits[place], words @ state, atol=1e-4)


def test_outputs_may_be_rows_of_their_own():
    model = made(shared=False, extra=4, start=0, end=-1)
    assert model(packed([[4, 10]]), packed([[3, 1]])).shape == (2, 4)
    assert model.table() is model.extra.weight


def test_every_parameter_gets_a_gradient():
    model = made().train()
    model(packed([[4, 5], [6]]), packed([[3, 12], [5, 11, 2]])).logsumexp(1).sum().backward()
    idle = [name for name, one in model.named_parameters() if one.grad is None or not one.grad.abs().sum() > 0]
    assert idle == [name for name in idle if name.endswith("key.bias")]  # the same for all keys: a softmax drops it


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"start": 14}, "start"),
        ({"end": -2}, "end"),
        ({"shared": False, "extra": 0}, "output"),
        ({"encoder": TransformerConfig(vocabulary=9, width=8, layers=1, heads=2, embedding_width=4)}, "rows of 4"),
        ({"encoder": TransformerConfig(vocabulary=9, width=8, layers=1, heads=2, causal=True)}, "causal"),
    ],
)
def test_senseless_sizes_are_refused(settings, says):
    with pytest.raises(UsageError, match=says):
        made(**settings)


@pytest.mark.parametrize(
    ("sources", "targets", "says"),
    [
        ([[4]], [[1], [2]], "1 sources, 2 targets"),
        ([[4]], [[]], "0 empty sources, 1 targets"),
        ([[]], [[3]], "1 empty sources, 0 targets"),
        ([[4]], [[3] * 9], "9 tokens"),
    ],
)
def test_bad_batches_are_refused_with_counts(sources, targets, says):
    with pytest.raises(UsageError, match=says):
        made()(packed(sources), packed(targets))


def test_decoding_ends_where_positions_do():
    model = made(positions=1)
    _, state = model.step(model.begin(packed([[4]])), torch.tensor([1]))
    with pytest.raises(UsageError, match="more than 1"):
        model.step(state, torch.tensor([1]))
    with pytest.raises(UsageError, match="nothing to decode"):
        model.begin(packed([]))
