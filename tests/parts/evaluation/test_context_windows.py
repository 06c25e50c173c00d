"""Windows of sentences: spans, questions that need context, and the placebo."""

from __future__ import annotations

import pytest

from isogloss.errors import UsageError
from isogloss.evaluation.context_windows import context_windows, mixed
from isogloss.protocols import Record

OSLO = (
    "Oslo is the capital of Norway. Its harbour rarely freezes in winter. Many ferries leave every single hour. "
    "The trams of Oslo are painted blue. Museums show old wooden ships. Wide parks surround every quarter."
)
LIMA = (
    "Lima lies beside the Pacific ocean. Thick mist covers the coast. Markets sell potatoes and fresh fish. "
    "Buses crowd narrow colonial streets. Earthquakes destroyed several churches. People enjoy fried fish daily."
)


@pytest.fixture
def made():
    return context_windows([Record("a", OSLO, title="Oslo"), Record("b", LIMA, title="Lima")], per_window=3)


def test_spans_are_the_sentences(made):
    for window, text, spans in zip(made.windows, made.texts(), made.spans(), strict=True):
        assert [text[start:end] for start, end in spans] == window


def test_questions_need_the_context(made):
    sentences = {record.id: record.text for record in made.collection.documents}
    assert len(made.collection.queries) == 6
    for query, judged in made.collection.qrels.items():
        (gold,) = judged
        title, *content = made.collection.queries[query].split()
        assert title == made.titled[query]
        assert title.lower() not in sentences[gold].lower()
        assert len(content) == 2
        assert all(word in sentences[gold].lower() for word in content)
        window = made.windows[int(gold.split(":")[0])]
        assert any(title in sentence for sentence in window)


def test_mixing_moves_the_context_only(made):
    other = mixed(made, seed=1)
    assert other.windows != made.windows
    assert sorted(s for w in other.windows for s in w) == sorted(s for w in made.windows for s in w)
    for judged in made.collection.qrels.values():
        i, j = map(int, next(iter(judged)).split(":"))
        assert other.windows[i][j] == made.windows[i][j]


def test_seeds():
    records = [Record("a", OSLO, title="Oslo"), Record("b", LIMA, title="Lima")]
    first, again, other = (context_windows(records, seed=seed).collection.queries for seed in (0, 0, 5))
    assert first == again != other


@pytest.mark.parametrize("record", [Record("a", OSLO), Record("a", OSLO, title="Bergen"), Record("a", "Oslo.", "Oslo")])
def test_no_question_is_an_error(record):
    with pytest.raises(UsageError, match="no question about context"):
        context_windows([record])
