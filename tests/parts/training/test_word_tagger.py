"""The word tagger: it learns, spelling tells of unseen words, hashed tables are as small as they say."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from isogloss.corpus.examples import TaggedSentences  # noqa: E402
from isogloss.errors import NotFittedError, UsageError  # noqa: E402
from isogloss.training.word_tagger import WordTagger  # noqa: E402

NAMES, VERBS = ["Ann", "Bob", "Eve", "Max"], ["ran", "sat", "sang", "slept"]
WORDS = [["then", name, verb] for name in NAMES for verb in VERBS]
DATA = TaggedSentences([*WORDS, []], [["O", "B-PER", "O"]] * 16 + [[]])
SMALL = {"norm": 20, "shape": 10}


def tagger(**settings):
    return WordTagger(SMALL, **{"width": 8, "layers": 1, "epochs": 15, "batch": 4} | settings)


@pytest.mark.parametrize("tables", ["hashed", "repeated", "words"])
def test_it_learns_and_the_shape_tells_of_unseen_names(tables):
    learned = tagger(tables=tables).fit(DATA)
    asked = [["then", "Zoe", "ran"], [], ["Ann"]]
    assert learned.predict(asked) == [["O", "B-PER", "O"], [], ["B-PER"]]


def test_tables_have_the_size_that_they_say():
    hashed, words = tagger().fit(DATA), tagger(tables="words").fit(DATA)
    for one in (hashed, words):
        real = sum(table.table.weight.numel() for table in one.network_.words.tables)
        assert one.table_size == real
    assert hashed.table_size == 30 * 8
    assert words.table_size == (9 + 1 + 3 + 1) * 8  # then, 4 names, 4 verbs; xxxx, Xxx, xxx


def test_the_same_seed_gives_the_same_bits():
    first, again, other = (tagger(seed=seed, epochs=2).fit(DATA) for seed in (3, 3, 4))
    weights = [torch.cat([w.detach().ravel() for w in one.network_.parameters()]) for one in (first, again, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_one_row_taken_four_times_is_one_row():
    learned = tagger(tables="repeated", epochs=1).fit(DATA)
    chosen, _ = learned._chosen([["Ann", "ran"]])
    assert all((rows == rows[:, :1]).all() and rows.shape[1] == 4 for rows in chosen)


def test_what_makes_no_sense_is_said():
    with pytest.raises(NotFittedError):
        tagger().predict([["a"]])
    with pytest.raises(UsageError, match="settings"):
        WordTagger({})
    with pytest.raises(UsageError, match="nothing to learn"):
        tagger().fit(TaggedSentences([["a"]], [["O", "O"]]))
