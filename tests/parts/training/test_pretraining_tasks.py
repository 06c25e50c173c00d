"""Pre-training tasks by name: what is refused, that each is learned, and what a game says of other text."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from isogloss.errors import UsageError  # noqa: E402
from isogloss.nn.backbones import ENCODERS  # noqa: E402
from isogloss.nn.replaced_tokens import uniform  # noqa: E402
from isogloss.training.letter_models import HIDING, LETTERS, letter_blocks, letter_encoder, letter_sentences  # noqa: E402
from isogloss.training.pretraining_tasks import (  # noqa: E402
    SEES_LATER,
    TARGETS,
    assembled,
    class_task,
    played_round,
    predicted_classes,
    replaced_task,
    tuned_classes,
)

TEXTS = ["snow falls softly on the roof", "rain runs down the windows", "no wind moves the old trees"] * 6
BLOCKS = letter_blocks(TEXTS, 24)
PAIRS = [
    *((name, "mlm") for name in sorted(ENCODERS)),
    *((name, "lm") for name in sorted(set(ENCODERS) - set(SEES_LATER) - {"two-lstms"})),
    ("two-lstms", "bilm"), ("gru+causal-transformer", "lm"),
]  # fmt: skip


@pytest.mark.parametrize(("encoders", "target"), PAIRS)
def test_every_assembly_learns(encoders, target):
    torch.manual_seed(0)
    task = assembled(encoders, BLOCKS, HIDING, target=target, width=16, layers=1, batch_size=8, positions=24)
    losses = task.run(25, learning_rate=1e-2, seed=0).losses["train/model"]
    assert np.mean(losses[-5:]) < np.mean(losses[:2]) - 0.3


def test_what_cannot_be_learned_or_is_unknown_is_refused():
    for name in [*SEES_LATER, "two-lstms", "gru+bilstm"]:
        with pytest.raises(UsageError, match="sees the token"):
            assembled(name, BLOCKS, HIDING, target="lm")
    with pytest.raises(UsageError, match="no two ways"):
        assembled("bilstm", BLOCKS, HIDING, target="bilm")
    with pytest.raises(UsageError, match="no target 'rtd'") as caught:
        assembled("gru", BLOCKS, HIDING, target="rtd")
    assert all(name in str(caught.value) for name in TARGETS)


def test_no_encoder_that_may_foretell_sees_the_next_token():
    """The list of those that see it is complete: a changed token changes no earlier logit of the others."""
    for name in sorted(set(ENCODERS) - set(SEES_LATER) - {"two-lstms"}):
        torch.manual_seed(1)
        module = assembled(name, BLOCKS, HIDING, target="lm", width=16, positions=24).module.eval()
        one, other = (letter_sentences([text]) for text in ("snowfall", "snowball"))
        found = [module(_packed(sequence)) for sequence in (one, other)]
        assert torch.allclose(found[0][:5], found[1][:5], atol=1e-6), name


def _packed(sequences):
    from isogloss.training.corpus_batches import packed

    return packed(np.asarray(sequences.values, np.int64), sequences.offsets)


def test_classes_are_learned_and_predicted_in_order():
    torch.manual_seed(2)
    body = assembled("cnn", BLOCKS, HIDING, width=16).module.body
    texts, labels = TEXTS[:9], np.array([0, 1, 2] * 3)
    task = class_task(body, letter_sentences(texts), labels, classes=3, batch_size=4)
    task.run(40, learning_rate=1e-2, seed=0)
    found = predicted_classes(task, letter_sentences(texts))
    assert found.tolist() == labels.tolist()
    assert predicted_classes(task, letter_sentences(texts), batch_size=2).tolist() == found.tolist()
    assert predicted_classes(task, letter_sentences(texts[1:2])).tolist() == [1]


def test_the_causal_head_begins_at_the_frequencies_of_tokens():
    """Without it the states carry the frequencies; the loss at the start is that of a unigram model by hand."""
    torch.manual_seed(3)
    task = assembled("gru", BLOCKS, HIDING, target="lm", width=16, batch_size=len(BLOCKS), positions=24)
    often = np.bincount(BLOCKS.values, minlength=HIDING.vocabulary) + 1
    surprise = -np.log(often / often.sum())
    targets = np.concatenate([row[1:] for row in BLOCKS])
    batch = task.batches(0)
    first = task.objective(task.forward(task.module, batch), batch).mean().item()
    assert first == pytest.approx(surprise[targets].mean(), abs=0.02)


def test_the_rate_that_does_best_on_other_texts_is_taken():
    torch.manual_seed(2)
    body = assembled("cnn", BLOCKS, HIDING, width=16).module.body
    before = body.table.detach().clone()
    data = letter_sentences(TEXTS[:9]), np.array([0, 1, 2] * 3)
    first, last = (
        tuned_classes(body, data, data, classes=3, steps=30, rates=rates, batch_size=4)
        for rates in ((1e-9, 1e-2), (1e-2, 1e-9))
    )
    found = predicted_classes(first, data[0])
    assert found.tolist() == data[1].tolist() == predicted_classes(last, data[0]).tolist()
    assert torch.equal(body.table, before)  # each trial has a copy of its own


def test_a_round_on_other_text():
    torch.manual_seed(3)
    task = replaced_task("gated-cnn", BLOCKS, HIDING, widths=(16, 8), layers=(1, 1), draw=uniform, batch_size=8)
    task.run(40, learning_rate=1e-2, seed=0)
    blocks = letter_blocks(["the roof and the trees are white"] * 8, 24)
    scores, seen, original = played_round(task, blocks, HIDING, seed=5)
    again = played_round(task, blocks, HIDING, seed=5)
    assert all(np.array_equal(a, b) for a, b in zip((scores, seen, original), again, strict=True))
    assert len(scores) == len(seen) == len(original) == len(blocks.values)
    assert 0.05 < 1 - original.mean() < 0.2
    above = (scores[original][:, None] > scores[~original][None, :]).mean()
    assert above > 0.6
    other = played_round(task, blocks, HIDING, seed=6)
    assert not np.array_equal(seen, other[1])
    torch.manual_seed(4)
    beginner = replaced_task("gated-cnn", BLOCKS, HIDING, widths=(16, 8), layers=(1, 1), batch_size=8)
    guesses, same, _ = played_round(task, blocks, HIDING, seed=5, teller=beginner)
    assert np.array_equal(seen, same)  # the other tells about the very same replacements
    assert not np.array_equal(guesses, scores)


def test_letters_become_vectors():
    encoder = letter_encoder(assembled("cnn", BLOCKS, HIDING, width=16).module.body)
    vectors = encoder.encode(["snow", "", "SNOW"])
    assert vectors.shape == (3, 32)
    assert np.array_equal(vectors[0], vectors[2])
    assert len(LETTERS) == HIDING.vocabulary
