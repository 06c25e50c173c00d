"""Replaced-token detection: labels and losses by hand, whose gradient reaches whom, and that it is learned."""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch.nn import functional  # noqa: E402

from isogloss.errors import UsageError  # noqa: E402
from isogloss.nn.heads import MaskedHead, ReplacedTokenHead, TokenPredictor  # noqa: E402
from isogloss.nn.packing import pack  # noqa: E402
from isogloss.nn.replaced_tokens import (  # noqa: E402
    ReplacedTokenGame,
    Replacements,
    sampled,
    share_embeddings,
    uniform,
)
from isogloss.nn.transformer import Transformer, TransformerConfig  # noqa: E402
from isogloss.objectives.contract import Batch  # noqa: E402
from isogloss.objectives.replaced_token import ReplacedTokenDetection, detection_losses, play  # noqa: E402
from isogloss.training.corpus_batches import Hiding, MaskedBatches, Ragged  # noqa: E402
from isogloss.training.loop import train  # noqa: E402
from isogloss.training.stage import Optimiser, Player, Stage  # noqa: E402

CORPUS = Ragged.from_list([np.array([1, *range(5 + i, 13 + i), 2]) for i in range(12)])
BATCHES = MaskedBatches(CORPUS, Hiding(mask=4, vocabulary=30, special=(0, 1, 2, 3), masked=1.0, random=0.0),
                        batch_size=12, seed=0)  # fmt: skip


def game(draw=sampled, shared=True, seed=0):
    torch.manual_seed(seed)
    sizes = {"vocabulary": 30, "layers": 1, "heads": 2, "positions": 16, "dropout": 0.0, "types": 0}
    body = Transformer(TransformerConfig(width=16, inner=32, embedding_width=6, **sizes))
    small = Transformer(TransformerConfig(width=8, inner=16, embedding_width=6, **sizes))
    if shared:
        share_embeddings(small, body)
    return ReplacedTokenGame(TokenPredictor(small, MaskedHead(30, 8, size=6)), body, ReplacedTokenHead(16), draw=draw)


def played(module, batch, seed=0):
    torch.manual_seed(seed)
    return play(module, batch)


def test_a_right_guess_counts_as_original():
    batch = BATCHES(0)
    judged = batch.extra["targets"].ids != -100
    right = played(game(lambda logits: batch.extra["true"].ids[judged]), batch)
    assert right.original.all()
    wrong = played(game(lambda logits: torch.zeros(len(logits), dtype=torch.int64)), batch)
    assert torch.equal(~wrong.original, judged)


def test_the_discriminator_reads_the_drawn_tokens_and_no_mask():
    seen = []
    module = game(lambda logits: torch.full((len(logits),), 29))
    module.body.register_forward_pre_hook(lambda body, inputs: seen.append(inputs[0].ids))
    batch = BATCHES(0)
    played(module, batch)
    judged = batch.extra["targets"].ids != -100
    assert (seen[0][judged] == 29).all()
    assert torch.equal(seen[0][~judged], batch.extra["true"].ids[~judged])


def test_by_hand():
    outputs = Replacements(
        torch.tensor([[0.0, math.log(3)]]), torch.tensor([math.log(3), 0.0]), torch.tensor([True, False]),
        torch.tensor([False, True]),
    )  # fmt: skip
    batch = Batch((pack([np.array([7, 4])]),), extra={"targets": pack([np.array([-100, 1])])})
    expected = [math.log(4 / 3), math.log(2)]
    assert detection_losses(outputs).values.tolist() == pytest.approx(expected)
    whole = ReplacedTokenDetection(weight=10.0)(outputs, batch).mean().item()
    assert whole == pytest.approx(math.log(4 / 3) + 10 * sum(expected) / 2)
    hidden_only = ReplacedTokenDetection(weight=10.0, everywhere=False)(outputs, batch).mean().item()
    assert hidden_only == pytest.approx(math.log(4 / 3) + 10 * math.log(2))


def test_equals_torchs_binary_cross_entropy():
    outputs = played(game(), BATCHES(1))
    asked = functional.binary_cross_entropy_with_logits(outputs.discriminator, outputs.original.float())
    assert detection_losses(outputs).mean().item() == pytest.approx(asked.item(), abs=1e-6)


def gradients(module, weight):
    module.zero_grad()
    batch = BATCHES(0)
    ReplacedTokenDetection(weight=weight)(played(module, batch), batch).mean().backward()
    return {name: weights.grad.clone() for name, weights in module.named_parameters() if weights.grad is not None}


def test_no_gradient_of_the_discriminator_reaches_the_generator():
    module = game(shared=False)
    alone, both = gradients(module, 0.0), gradients(module, 50.0)
    names = [name for name in alone if name.startswith("generator")]
    assert len(names) > 10
    assert all(torch.equal(alone[name], both[name]) for name in names)
    theirs = [name for name in both if not name.startswith("generator") and "key.bias" not in name]
    assert all(bool(both[name].abs().sum() > 0) for name in theirs)


def test_shared_embeddings_learn_from_both():
    module = game()
    alone, both = gradients(module, 0.0), gradients(module, 50.0)
    name = "generator.body.embeddings.word.weight"
    assert alone[name].abs().sum() > 0
    assert not torch.equal(alone[name], both[name])


def test_every_position_teaches_the_discriminator():
    """Counted: the loss has a gradient at all positions, masked-word prediction at 15 % of them."""
    batch, outputs = BATCHES(0), played(game(), BATCHES(0))
    logits = outputs.discriminator.detach().requires_grad_()
    (found,) = torch.autograd.grad(detection_losses(outputs._replace(discriminator=logits)).values.sum(), logits)
    assert (found != 0).float().mean().item() > 0.95
    hidden = detection_losses(outputs._replace(discriminator=logits), everywhere=False)
    (few,) = torch.autograd.grad((hidden.values * hidden.weights).sum(), logits)
    assert torch.equal(few != 0, batch.extra["targets"].ids != -100)


def test_draws_follow_their_probabilities():
    torch.manual_seed(0)
    logits = torch.log(torch.tensor([[0.7, 0.2, 0.1]])).repeat(6000, 1)
    for draw, shares in ((sampled, [0.7, 0.2, 0.1]), (uniform, [1 / 3] * 3)):
        assert (torch.bincount(draw(logits), minlength=3) / 6000).tolist() == pytest.approx(shares, abs=0.03)


def test_what_was_replaced_is_learned():
    module = game(uniform)
    player = Player(module=module, objective=ReplacedTokenDetection(), forward=play,
                    optimiser=Optimiser(learning_rate=1e-2))  # fmt: skip
    train(Stage(batches=BATCHES, players=[player], steps=150), seed=0)
    outputs = played(module.eval(), BATCHES(1000))
    replaced, kept = (outputs.discriminator[outputs.original == flag] for flag in (False, True))
    above = (kept[:, None] > replaced[None, :]).float().mean().item()
    assert above > 0.8  # the area under the curve; untrained: about one half


def test_batches_without_the_true_tokens_are_refused():
    batch = BATCHES(0)
    with pytest.raises(UsageError, match="true tokens"):
        play(game(), Batch(batch.columns, extra={"targets": batch.extra["targets"]}))
