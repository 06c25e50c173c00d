"""Bodies put together: what each kind of layer sees, torch's own layers beside ours, names at the edge."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from isogloss.errors import UsageError  # noqa: E402
from isogloss.nn.backbones import (  # noqa: E402
    ENCODERS,
    AssembledEmbeddings,
    Backbone,
    PrefixLayout,
    Spelling,
    backbone,
)
from isogloss.nn.convolution import ConvolutionLayers  # noqa: E402
from isogloss.nn.heads import CausalHead  # noqa: E402
from isogloss.nn.packing import Packed, pack  # noqa: E402
from isogloss.nn.recurrent import RecurrentLayers, TwoWayPredictor, mirrored  # noqa: E402
from isogloss.objectives.causal import TwoWayLanguageModelling, predict_both  # noqa: E402
from isogloss.training.corpus_batches import CausalBatches, Ragged  # noqa: E402

TEXT, LATER, EARLIER = [1, 5, 6, 7, 8, 2], [1, 5, 6, 7, 9, 2], [1, 4, 6, 7, 8, 2]
OTHER = [3, 3]
SEES_PAST_ONLY = {"causal-transformer", "lstm", "gru", "causal-gated-cnn"}


def states(body, *texts):
    with torch.no_grad():
        return body(pack([np.array(text) for text in texts]))


def body(name, **settings):
    torch.manual_seed(0)
    made = backbone(name, vocabulary=12, width=8, layers=2, positions=10, **settings).eval()
    for weights in made.parameters():
        weights.data.mul_(2)
    return made


@pytest.mark.parametrize("name", sorted(ENCODERS))
def test_what_comes_later_is_seen_by_those_that_may(name):
    one = body(name)
    same = torch.isclose(states(one, TEXT, OTHER), states(one, LATER, OTHER), atol=1e-6).all(1).tolist()
    assert not same[4]
    assert same[6:] == [True, True]
    if name in SEES_PAST_ONLY:
        assert same[:4] == [True] * 4
    else:
        assert not same[3]  # its neighbour


@pytest.mark.parametrize("name", [*sorted(ENCODERS), "bilstm+transformer", "cnn+gru+prefix-transformer"])
def test_it_does_not_matter_who_stands_beside(name):
    one = body(name)
    together = states(one, OTHER, TEXT, [1])
    assert torch.allclose(together[2:8], states(one, TEXT), atol=1e-5)
    assert torch.allclose(together[8:], states(one, [1]), atol=1e-5)


@pytest.mark.parametrize("name", sorted(ENCODERS))
def test_every_weight_learns(name):
    one = body(name, segments=2, spelling=[f"token{i}" for i in range(12)])
    one(pack([np.array(TEXT), np.array(OTHER)])).square().sum().backward()
    silent = [key for key, weights in one.named_parameters() if weights.grad is None or not weights.grad.abs().sum()]
    assert [key for key in silent if "key.bias" not in key] == []


def test_two_ways_apart_never_meet():
    one = body("two-lstms")
    plain, later, earlier = states(one, TEXT), states(one, LATER), states(one, EARLIER)
    left, right = slice(0, 4), slice(4, 8)
    assert torch.allclose(plain[:4, left], later[:4, left], atol=1e-6)
    assert not torch.allclose(plain[:4, right], later[:4, right], atol=1e-6)
    assert torch.allclose(plain[2:, right], earlier[2:, right], atol=1e-6)
    assert not torch.allclose(plain[2:, left], earlier[2:, left], atol=1e-6)


@pytest.mark.parametrize(("cell", "kind"), [("lstm", torch.nn.LSTM), ("gru", torch.nn.GRU)])
@pytest.mark.parametrize("ways", ["forward", "both"])
def test_recurrent_layers_equal_torchs_on_one_text(cell, kind, ways):
    ours = RecurrentLayers(6, layers=2, cell=cell, ways=ways)
    theirs = kind(6, 6 if ways == "forward" else 3, 2, batch_first=True, bidirectional=ways == "both")
    theirs.load_state_dict(ours.ahead.state_dict())
    x = torch.randn(9, 6)
    packed = pack([np.arange(4), np.arange(5)])
    expected = torch.cat([theirs(x[None, :4])[0][0], theirs(x[None, 4:])[0][0]])
    assert torch.allclose(ours(x, packed), expected, atol=1e-6)


def test_turned_round_twice_is_the_text():
    packed = pack([np.arange(4), np.arange(0), np.arange(1), np.arange(3)])
    turned = mirrored(packed)
    assert turned.tolist() == [3, 2, 1, 0, 4, 7, 6, 5]
    assert turned[turned].tolist() == list(range(8))


def test_a_gated_convolution_by_hand():
    layers = ConvolutionLayers(1, kernel=3)
    layers.norms[0] = torch.nn.Identity()
    layers.convolutions[0].weight.data = torch.tensor([[[1.0, 10.0, 100.0]], [[0.0, 0.0, 0.0]]])
    layers.convolutions[0].bias.data = torch.tensor([1.0, 0.0])  # the gate is one half
    x = torch.tensor([[1.0], [2.0], [3.0]])
    found = layers(x, pack([np.array([7, 8]), np.array([9])]))
    assert found[:, 0].tolist() == [1 + (210 + 1) / 2, 2 + (21 + 1) / 2, 3 + (30 + 1) / 2]


def test_a_plain_causal_convolution_by_hand():
    layers = ConvolutionLayers(1, kernel=2, gated=False, causal=True)
    layers.norms[0] = torch.nn.Identity()
    layers.convolutions[0].weight.data, layers.convolutions[0].bias.data = torch.tensor([[[1.0, 10.0]]]), torch.zeros(1)
    found = layers(torch.tensor([[1.0], [2.0], [-3.0]]), pack([np.array([7, 8, 9])]))
    assert found[:, 0].tolist() == [11.0, 2 + 21.0, -3.0 + 0]


def test_prefix_mask_by_brute_force():
    types = [[0, 0, 1, 1], [0, 1, 1], [1, 1], [0, 0]]
    packed = pack([np.arange(len(one)) for one in types], [np.array(one) for one in types])
    mask = PrefixLayout(packed).mask
    for text, kinds in enumerate(types):
        for query in range(len(kinds)):
            for key in range(4):
                seen = key < len(kinds) and (kinds[key] == 0 or key <= query)
                assert bool(mask[text, 0, query, key]) == seen


def test_the_prefix_transformer_writes_from_left_to_right_after_its_prefix():
    one = body("prefix-transformer")
    for changed, unseen in ((4, [False, False, False, False]), (5, [True, True, True, True])):
        other = list(TEXT)
        other[changed] = 10
        types = torch.tensor([0, 0, 0, 0, 0, 1])  # the last is written
        found = [one(Packed(torch.tensor(ids), torch.tensor([0, 6]), types)) for ids in (TEXT, other)]
        assert torch.isclose(*found, atol=1e-6).all(1).tolist()[:4] == unseen


def test_embeddings_are_the_sum_of_their_parts():
    torch.manual_seed(1)
    made = AssembledEmbeddings(12, 4, positions=5, segments=2)
    ids, types = torch.tensor([3, 4, 5]), torch.tensor([0, 1, 0])
    found = made(Packed(ids, torch.tensor([0, 2, 3]), types))
    summed = made.word.weight[ids] + made.position.weight[[0, 1, 0]] + made.segment.weight[types]
    assert torch.allclose(found, torch.nn.functional.layer_norm(summed, (4,)), atol=1e-6)
    bare = AssembledEmbeddings(12, 4)
    assert torch.allclose(bare(pack([np.array([3, 3])]))[0], bare(pack([np.array([3, 3])]))[1])
    with pytest.raises(UsageError, match="there are 5 places"):
        made(pack([np.arange(6)]))


def test_tokens_spelt_alike_begin_alike():
    torch.manual_seed(2)
    spelling = Spelling(["walk", "walk", "walked", "Ω" * 40, ""], 6)
    vectors = spelling(torch.tensor([0, 1, 2, 3, 4, 0]))
    assert torch.equal(vectors[0], vectors[1])
    assert torch.equal(vectors[0], vectors[5])
    assert not torch.equal(vectors[0], vectors[2])
    assert torch.isfinite(vectors).all()


def test_each_way_learns_from_its_own_neighbours():
    torch.manual_seed(3)
    one = Backbone(AssembledEmbeddings(12, 8), [RecurrentLayers(8, ways="apart")])
    model = TwoWayPredictor(one, CausalHead(4, size=8), CausalHead(4, size=8))
    batch = CausalBatches(Ragged.from_list([np.array(TEXT), np.array(OTHER)]), batch_size=2, seed=0)(0)
    losses = TwoWayLanguageModelling()(predict_both(model, batch), batch)
    assert len(losses.values) == 2 * (5 + 1)
    losses.mean().backward()
    assert all(bool(weights.grad.abs().sum()) for weights in model.parameters())


def test_bad_choices_are_refused():
    with pytest.raises(UsageError, match="no encoder 'bert'") as caught:
        backbone("lstm+bert", vocabulary=9)
    assert all(name in str(caught.value) for name in ENCODERS)
    with pytest.raises(UsageError, match="two ways"):
        RecurrentLayers(7, ways="both")
    with pytest.raises(UsageError, match="kernel of 4"):
        ConvolutionLayers(4, kernel=4)
    with pytest.raises(UsageError, match="1 of 2"):
        RecurrentLayers(4)(torch.zeros(2, 4), pack([np.arange(2), np.arange(0)]))
