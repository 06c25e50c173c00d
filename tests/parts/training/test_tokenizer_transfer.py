"""Another tokenizer for a trained model: untrained it is the mean of the pieces, trained it costs fewer bits."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from isogloss.nn.heads import CausalHead, TokenPredictor  # noqa: E402
from isogloss.nn.hypernetwork import EmbeddingHypernetwork  # noqa: E402
from isogloss.nn.packing import pack  # noqa: E402
from isogloss.nn.transformer import Transformer, TransformerConfig  # noqa: E402
from isogloss.training.corpus_batches import CausalBatches  # noqa: E402
from isogloss.training.corpus_tokens import sentences, token_ids  # noqa: E402
from isogloss.training.language_model import TrainedLanguageModel  # noqa: E402
from isogloss.training.loop import train  # noqa: E402
from isogloss.training.stage import Optimiser, Player, Stage  # noqa: E402
from isogloss.training.tokenizer_transfer import (  # noqa: E402
    BEGIN,
    END,
    SampledTokenizers,
    TransferLoss,
    TransferredPredictor,
    fit_hypernetwork,
    pieces_of,
    transferred,
)  # fmt: skip
from isogloss.vocabulary.unigram_sampling import piece_counts, sampled_unigram  # noqa: E402

WORDS = ["the cat sat on the mat", "the dog sat on the log", "a cat and a dog ran home", "the mat was on the log"]
TEXTS = [f"{one} and {other}" for one in WORDS for other in WORDS] * 4


@pytest.fixture(scope="module")
def model():
    """A causal model of 280 tokens that has learned these texts a little."""
    from isogloss.objectives.causal import CausalLanguageModelling
    from isogloss.objectives.token_targets import predict_judged

    tokenizer = sampled_unigram(piece_counts(TEXTS), 280)
    config = TransformerConfig(
        vocabulary=280, width=32, layers=1, heads=2, inner=64, positions=64, types=0, causal=True, dropout=0.0
    )
    with torch.random.fork_rng():
        torch.manual_seed(1)
        predictor = TokenPredictor(Transformer(config), CausalHead(32))
    rows = sentences(token_ids(TEXTS, tokenizer), 64, before=[BEGIN], after=[END])
    batches = CausalBatches(rows, batch_size=32, seed=0)
    player = Player(
        module=predictor, objective=CausalLanguageModelling(), forward=predict_judged,
        optimiser=Optimiser(learning_rate=0.01),
    )  # fmt: skip
    train(Stage(batches=batches, players=[player], steps=60), seed=0)
    return TrainedLanguageModel(predictor.eval(), tokenizer, begin=BEGIN, end=END, window=64)


@pytest.fixture(scope="module")
def other():
    return sampled_unigram(piece_counts(TEXTS), 300, noise=1.5, rng=np.random.default_rng(9))


def bits(model):
    nats, _ = model.nll(TEXTS[:8])
    return float(nats.sum())


def test_an_untrained_network_gives_the_mean_of_the_pieces(model, other):
    pieces = pieces_of(other, model.tokenizer)
    table = model.module.table.detach()
    found = EmbeddingHypernetwork(32)(pieces, table).detach()
    for i in (5, 270, 299):
        ids = pieces.ids[pieces.offsets[i] : pieces.offsets[i + 1]]
        torch.testing.assert_close(found[i], table[ids].mean(0))


def test_the_same_tokenizer_changes_nothing(model):
    same = transferred(model, model.tokenizer)
    np.testing.assert_allclose(same.nll(TEXTS[:4])[0], model.nll(TEXTS[:4])[0], rtol=1e-5)


def test_training_saves_bits_on_a_tokenizer_never_seen_and_leaves_the_model_alone(model, other):
    before = {name: value.clone() for name, value in model.module.state_dict().items()}
    mean = bits(transferred(model, other))
    network = fit_hypernetwork(model, TEXTS, steps=60, size=290, seed=4)
    assert bits(transferred(model, other, network)) < 0.9 * mean
    for name, value in model.module.state_dict().items():
        assert torch.equal(value, before[name])
    again = fit_hypernetwork(model, TEXTS, steps=60, size=290, seed=4)
    for one, two in zip(network.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, two)


def test_every_weight_of_the_network_gets_a_gradient_and_no_other(model):
    network = EmbeddingHypernetwork(32)
    torch.nn.init.normal_(network.out.weight, std=0.1)  # at zero nothing below the last layer has a gradient
    whole = TransferredPredictor(model.module, network)
    batch = SampledTokenizers(model, TEXTS, size=290, noise=1.0, seed=0)(0)
    TransferLoss(model.module.table.detach())(whole(batch), batch).mean().backward()
    assert all(one.grad is not None and one.grad.abs().sum() > 0 for one in network.parameters() if one.numel())
    assert all(one.grad is None for one in model.module.parameters())
    model.module.requires_grad_(True)


def test_the_loss_is_that_of_hand(model):
    batch = SampledTokenizers(model, TEXTS, size=290, noise=1.0, seed=0)(0)
    output = TransferredPredictor(model.module, EmbeddingHypernetwork(32))(batch)
    loss = TransferLoss(model.module.table.detach(), anchor=2.0)(output, batch)
    known = batch.extra["known"]
    table, old = output.table.detach(), model.module.table.detach()
    far = [float((table[i] - old[known[i]]).norm()) for i in range(len(known)) if known[i] >= 0]
    targets = batch.extra["targets"].ids
    plain = torch.nn.functional.cross_entropy(output.logits, targets[targets >= 0])
    assert loss.mean().item() == pytest.approx(plain.item() + 2.0 * np.mean(far), rel=1e-5)
    model.module.requires_grad_(True)


def test_pieces_beyond_the_longest_count_in_the_mean_only():
    network = EmbeddingHypernetwork(4, layers=1, heads=1, longest=2)
    pieces = pack([np.array([0, 1, 2]), np.array([3])])
    torch.testing.assert_close(network(pieces, torch.eye(4))[0], torch.tensor([1 / 3, 1 / 3, 1 / 3, 0.0]))


def test_shuffled_pieces_are_another_tokens(model, other):
    own, turned = pieces_of(other, model.tokenizer), pieces_of(other, model.tokenizer, shuffled=1)
    assert own.ids[:3].tolist() == turned.ids[:3].tolist()
    assert len(own.ids) == len(turned.ids)
    assert own.ids.tolist() != turned.ids.tolist()
