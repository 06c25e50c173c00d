"""Words drawn to aligned vectors while a masked model learns on."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from isogloss.arrays import Ragged  # noqa: E402
from isogloss.encoders.words_in_context import Occurrences, mean_in_context  # noqa: E402
from isogloss.errors import UsageError  # noqa: E402
from isogloss.nn.packing import pack  # noqa: E402
from isogloss.objectives.contract import Batch  # noqa: E402
from isogloss.objectives.word_alignment import AlignedMasking, TokensAndWords, predict_with_words  # noqa: E402
from isogloss.training.bilingual_masked import Languages, in_rows  # noqa: E402
from isogloss.training.corpus_batches import Hiding, MaskedBatches  # noqa: E402
from isogloss.training.word_alignment import AlignedBatches, aligned_task, hidden_nats, spelled, states_of  # noqa: E402

TEXTS = (
    ["The small hen sleeps in the garden.", "A dog sees the hen.", "The dog sleeps.", "A small garden."] * 10,
    ["Das kleine Huhn schläft im Garten.", "Ein Hund sieht das Huhn.", "Der Hund schläft.", "Ein kleiner Garten."] * 10,
)


@pytest.fixture(scope="module")
def two():
    return Languages.of(TEXTS, pieces=150, known=8, longest=24)


@pytest.fixture(scope="module")
def base(two):
    return two.pretrained(steps=30, batch_size=8, seed=0)


def near(predictor, two, targets):
    """Mean squared distance of words' states from their targets."""
    found = []
    for texts, words, target in zip(two.texts, two.known, targets, strict=True):
        states = states_of(predictor.body, two.pieces, longest=two.longest)
        found.append(((mean_in_context(states, texts, words)[0] - target) ** 2).mean())
    return float(np.mean(found))


def test_words_come_near_their_targets_and_without_weight_they_do_not(two, base):
    draw = np.random.default_rng(0)
    targets = [draw.standard_normal((len(words), 128)).astype(np.float32) for words in two.known]
    before = near(base, two, targets)
    options = {"steps": 25, "batch_size": 16, "seed": 1}
    drawn, alone = (two.continued(base, targets, weight=weight, **options) for weight in (5.0, 0.0))
    assert near(drawn, two, targets) < 0.7 * near(alone, two, targets)
    assert near(alone, two, targets) > 0.8 * before
    assert near(base, two, targets) == before  # what it began from stays as it was
    again = two.continued(base, targets, weight=5.0, **options)
    assert all(torch.equal(a, b) for a, b in zip(drawn.parameters(), again.parameters(), strict=True))


def test_a_hidden_words_state_does_not_know_its_letters(two, base):
    for parts in two.static(base):
        assert parts.shape == (8, 128)
        assert np.isfinite(parts).all()
        assert parts.any(1).all()
    spoken = [text.replace("dog", "cow") for text in TEXTS[0]]
    other = Languages((spoken,), two.pieces, (tuple(word.replace("dog", "cow") for word in two.known[0]),), two.longest)
    one = Languages((TEXTS[0],), two.pieces, (two.known[0],), two.longest)
    row = two.known[0].index("dog")
    length = len(two.pieces.encode("cow", add_special_tokens=False).ids)
    if length == len(two.pieces.encode("dog", add_special_tokens=False).ids):
        np.testing.assert_allclose(one.static(base)[0][row], other.static(base)[0][row], atol=1e-5)


def test_batches_leave_out_words_of_which_a_token_is_hidden():
    sequences = Ragged.from_list([np.array([1, 5, 6, 7, 2])] * 4)
    places = Ragged(np.concatenate([[-1, 2 * i, 2 * i, 2 * i + 1, -1] for i in range(4)]), sequences.offsets)
    found = Occurrences(places, np.array([0, 1] * 4))
    masked = MaskedBatches(sequences, Hiding(mask=3, vocabulary=8, special=(1, 2), share=0.34), batch_size=4, seed=0)
    vectors = np.array([[1.0, 1.0], [2.0, 2.0]], np.float32)
    batch = AlignedBatches(masked, found, vectors)(0)
    words, teacher = batch.extra["words"].ids, batch.extra["teacher"]
    hidden = batch.extra["targets"].ids != -100
    assert hidden.sum() == 4
    assert (words[hidden] == -1).all()
    for number in range(len(teacher)):
        tokens = batch.extra["targets"].ids[words == number], batch.columns[0].ids[words == number]
        assert (tokens[0] == -100).all()
        assert teacher[number].tolist() == ([1.0, 1.0] if tokens[1].tolist() == [5, 6] else [2.0, 2.0])
    shown = batch.columns[0].ids.reshape(4, 5)
    whole = sum(int(row[1:3].tolist() == [5, 6]) + int(row[3] == 7) for row in shown)
    assert len(teacher) <= whole


def test_the_state_of_a_word_is_the_mean_of_its_tokens_and_has_a_gradient(base):
    texts, words = pack([np.array([5, 6, 7])]), pack([np.array([1, 1, 0])])
    targets = pack([np.array([-100, 9, -100])])
    teacher = torch.zeros(2, 128)
    batch = Batch((texts,), extra={"words": words, "teacher": teacher, "targets": targets})
    outputs = predict_with_words(base, batch)
    states = base.body(texts)
    torch.testing.assert_close(outputs.words, torch.stack([states[2], states[:2].mean(0)]))
    assert outputs.logits.shape[0] == 1
    losses = AlignedMasking(weight=3.0)(outputs, batch)
    expected = torch.nn.functional.cross_entropy(outputs.logits, torch.tensor([9])) + 3 * outputs.words.square().mean()
    torch.testing.assert_close(losses.mean(), expected)
    words_alone = outputs.words.detach().requires_grad_()
    AlignedMasking(weight=3.0)(TokensAndWords(outputs.logits.detach(), words_alone), batch).mean().backward()
    torch.testing.assert_close(words_alone.grad, 3 * 2 * words_alone.detach() / words_alone.numel())


def test_hidden_nats_are_those_of_the_head_for_every_text(two, base):
    rows = two.nats(base, ["The dog sees the garden.", "Ein Hund.", "A hen."])
    assert set(rows[:, 1]) == {0.0, 1.0, 2.0}
    assert (rows[:, 0] > 0).all()
    tokens, _ = spelled(["The dog sees the garden."], two.pieces, 24)
    flat = Hiding(mask=4, vocabulary=150, special=(0, 1, 2, 3), share=0.5, masked=1.0, random=0.0)
    nats, owners = hidden_nats(base, tokens, flat, seed=3)
    batch = MaskedBatches(tokens, flat, batch_size=1, seed=3)(0)
    asked = batch.extra["targets"].ids
    logits = base(batch.columns[0]).detach()[asked != -100]
    by_hand = torch.nn.functional.cross_entropy(logits, asked[asked != -100], reduction="none")
    np.testing.assert_allclose(nats, by_hand.numpy(), rtol=1e-5)
    assert owners.tolist() == [0] * len(nats)


def test_halves_hold_no_translation_of_each_other():
    english = type("Pairs", (), {"left": ["a", "b", "a"], "right": ["c", "d", "e"]})
    german = type("Pairs", (), {"left": ["A", "B", "A"], "right": ["C", "D", "E"]})
    first = [["a", "c", "b", "d", "e"][i] for i in in_rows(english, 0)]
    second = [["A", "C", "B", "D", "E"][i] for i in in_rows(german, 1)]
    assert (first, second) == (["a", "c", "e"], ["B", "D"])
    twice = type("Pairs", (), {"left": ["a", "a"], "right": ["b", "c"]})
    assert in_rows(twice, 0) == [1]


def test_what_does_not_belong_together_is_said(two, base):
    with pytest.raises(UsageError, match="2 languages, 1 vocabularies"):
        aligned_task(base, two.texts, [(["a"], np.zeros((1, 128)))], two.pieces, Hiding(mask=4, vocabulary=150))
    with pytest.raises(UsageError, match="says nothing of words"):
        predict_with_words(base, Batch((pack([np.array([5])]),), extra={"targets": pack([np.array([5])])}))
    batch = Batch((pack([np.array([5])]),), extra={"words": pack([np.array([0])]), "teacher": torch.zeros(2, 3),
                                                   "targets": pack([np.array([5])])})  # fmt: skip
    with pytest.raises(UsageError, match="do not belong together"):
        AlignedMasking()(TokensAndWords(torch.zeros(1, 8), torch.zeros(1, 3)), batch)
