"""What the questions can decide: by hand, by simulation, and refused where the order turns on copying."""

from __future__ import annotations

import numpy as np
import pytest

from isogloss.errors import UsageError
from isogloss.mining.questions.decide import decide, decide_words_against_meaning
from isogloss.mining.questions.question import Question, QuestionSet
from isogloss.seeding import generator


def asked(count, overlap=lambda i: i % 5 / 5, kind=lambda i: "title", document=lambda i: i, weight=lambda i: 1.0):
    made = [Question(str(i), "t", str(document(i)), kind(i), None, overlap(i), weight(i)) for i in range(count)]
    return QuestionSet(made, {})


def test_value_and_error_by_hand():
    made = asked(4, document=lambda i: i // 2, weight=lambda i: [1.0, 1.0, 2.0, 0.0][i])
    found = decide(made, [1.0, 0.0, 1.0, 9.0], [0.0, 0.0, 0.0, 0.0]).whole
    assert found.value == pytest.approx(0.75)  # (1 + 0 + 2) / 4
    # rests by document: 0.25 - 0.75 = -0.5 and 2 * 0.25 = 0.5; sqrt(0.5 * 2 / 1) / 4
    assert found.error == pytest.approx(0.25)


def test_one_order_everywhere_is_decided():
    noise = generator(0, "test").normal(0.2, 0.3, 200)
    verdict = decide(asked(200), noise, np.zeros(200), names=("minilm", "words"))
    assert verdict.decided
    assert verdict.whole.sign == 1
    assert "minilm is ahead by 0.2" in verdict.reason
    assert verdict.visible == pytest.approx(2.8 * noise.std(ddof=1) / 200**0.5, rel=0.01)


def test_no_difference_is_not_decided():
    noise = generator(1, "test").normal(0.0, 0.3, 200)
    verdict = decide(asked(200), noise - noise.mean(), np.zeros(200))
    assert not verdict.decided
    assert "cannot be told apart" in verdict.reason


def test_an_order_that_turns_with_copying_is_not_decided():
    made = asked(300)
    words = np.array([question.overlap for question in made.questions])
    flat = np.full(300, 0.3) + 0.01 * generator(2, "test").normal(size=300)
    verdict = decide(made, flat, words, names=("static", "words"))
    assert not verdict.decided
    assert "depends on how much" in verdict.reason
    assert "static and words" in verdict.reason
    assert [part.sign for part in verdict.strata] == [1, -1, -1]


def test_an_order_that_turns_with_the_kind_is_not_decided():
    made = asked(300, kind=lambda i: "title" if i % 3 else "sentence")
    gain = np.array([0.4 if i % 3 else -0.3 for i in range(300)]) + 0.05 * generator(3, "test").normal(size=300)
    verdict = decide(made, gain, np.zeros(300))
    assert not verdict.decided
    assert "kind of question" in verdict.reason


def test_few_documents_decide_nothing():
    assert "too few" in decide(asked(200, document=lambda i: i % 7), np.ones(200), np.zeros(200)).reason


def test_equal_systems_are_ordered_as_rarely_as_promised():
    made, random = asked(100), generator(4, "null")
    signs = [decide(made, random.normal(size=100), np.zeros(100)).whole.sign for _ in range(1000)]
    assert 0.03 <= np.mean(np.abs(signs)) <= 0.08


def test_the_best_of_each_side_meet():
    made = asked(60)
    scores = {"words": np.full(60, 0.2), "words:en": np.full(60, 0.3), "static": np.full(60, 0.1)}
    verdict = decide_words_against_meaning(made, scores, {"words", "words:en"})
    assert verdict is not None
    assert (verdict.system, verdict.control) == ("static", "words:en")
    assert decide_words_against_meaning(made, scores, set()) is None


@pytest.mark.parametrize("scores", [[1.0], [float("nan")] * 4, [[1.0] * 4]])
def test_scores_that_do_not_fit_are_refused(scores):
    with pytest.raises(UsageError, match="cannot be compared"):
        decide(asked(4), scores, [0.0] * 4)
