"""Chunks: budgets kept for any text, spans that cover it, headings and titles in front."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.corpus.chunk import chunk, chunk_many
from isogloss.corpus.readers.markdown import markdown_headings
from isogloss.protocols import Record


def words(texts):
    return np.array([len(text.split()) for text in texts], np.int64)


def characters(texts):
    return np.array([len(text) for text in texts], np.int64)


def markdown(text, title=""):
    return Record("a", text, title, headings=markdown_headings(text))


def test_short_document_is_one_chunk_with_its_title():
    (only,) = chunk(Record("a", "Ice is cold.", title="On ice"), count=words)
    assert (only.start, only.end, only.text, only.heading) == (0, 12, "Ice is cold.", ())
    assert only.embedded == "On ice\n\nIce is cold."


def test_title_that_the_text_begins_with_is_not_said_twice():
    (only,) = chunk(markdown("# On ice\n\nIce is cold.", "On ice"), count=words)
    assert only.embedded == only.text
    assert only.heading == ("On ice",)


def test_title_counts_towards_the_budget():
    record = Record("a", "one two. three four.", title="t")
    assert [piece.tokens for piece in chunk(record, budget=5, count=words)] == [5]
    assert [piece.tokens for piece in chunk(record, budget=4, count=words)] == [3, 3]


def test_chunks_pack_sentences_evenly():
    text = " ".join(f"a{i} b c d e." for i in range(10))
    sizes = [len(piece.text.split()) for piece in chunk(Record("a", text), budget=40, count=words)]
    assert sizes == [25, 25]


def test_heading_path_and_hard_breaks():
    text = (
        "# Guide\n\n"
        + "intro word. " * 10
        + "\n\n## Install\n\n"
        + "get it now. " * 10
        + "\n\n### Linux\n\n"
        + "type this. " * 10
    )
    chunks = chunk(markdown(text, "Guide"), budget=40, count=words)
    assert "".join(piece.text for piece in chunks) == text
    assert [piece.heading for piece in chunks] == [("Guide",), ("Guide", "Install"), ("Guide", "Install", "Linux")]
    assert chunks[1].embedded.startswith("Guide\n\n## Install")
    assert chunks[2].embedded.startswith("Guide\nInstall\n\n### Linux")


def test_tiny_sections_are_joined():
    text = "".join(f"## H{i}\n\nshort.\n\n" for i in range(30))
    chunks = chunk(markdown(text), budget=80, count=words)
    assert 2 <= len(chunks) <= 10


def test_overlong_sentence_is_cut_at_clauses_then_spaces_then_anywhere():
    clauses = chunk(Record("a", "aa bb cc, dd ee ff"), budget=3, count=words)
    assert [piece.text for piece in clauses] == ["aa bb cc, ", "dd ee ff"]
    spaces = chunk(Record("a", "aaaa bbbb cccc dddd"), budget=10, count=characters)
    assert [piece.text for piece in spaces] == ["aaaa bbbb ", "cccc dddd"]
    anywhere = chunk(Record("a", "x" * 25), budget=10, count=characters)
    assert "".join(piece.text for piece in anywhere) == "x" * 25
    assert max(len(piece.text) for piece in anywhere) <= 10


def test_long_title_gives_way():
    record = Record("a", "one two three. " * 20, title="t " * 50)
    chunks = chunk(record, budget=12, count=words)
    assert all(len(piece.embedded.split()) <= 12 for piece in chunks)
    assert all(piece.embedded == piece.text for piece in chunks)


def test_long_path_loses_its_outer_part_first():
    text = "# " + "outer " * 5 + "\n\n## inner\n\n" + "one two three. " * 20
    last = chunk(markdown(text, "T"), budget=12, count=words)[-1]
    assert last.embedded.startswith("T\ninner\n\n")
    assert last.heading == (("outer " * 5).strip(), "inner")


@given(
    st.text(st.one_of(st.characters(), st.sampled_from(" .\n,#")), max_size=400),
    st.text(max_size=30),
    st.integers(1, 60),
    st.lists(st.tuples(st.integers(0, 400), st.integers(1, 6), st.text(max_size=10)), max_size=5),
)
def test_any_text_is_covered_within_the_budget(text, title, budget, headings):
    record = Record("a", text, title, headings=sorted(headings))
    chunks = chunk(record, budget=budget, count=characters)
    assert "".join(piece.text for piece in chunks) == text
    assert all(piece.text == text[piece.start : piece.end] and piece.text for piece in chunks)
    assert all(piece.tokens == len(piece.embedded) <= budget for piece in chunks)
    assert all(piece.embedded.endswith(piece.text) for piece in chunks)


@given(st.text(max_size=60), st.integers(1, 8))
def test_a_counter_that_is_not_additive_cannot_break_the_budget(text, budget):
    def jumpy(texts):  # joined texts may count more than their parts
        return np.array([len(text) + len(text) // 3 * 2 for text in texts], np.int64)

    for piece in chunk(Record("a", text), budget=budget, count=jumpy):
        assert jumpy([piece.embedded])[0] <= budget or len(piece.text) == 1


def test_many_equals_one_by_one_and_counts_in_batches():
    calls = []

    def counted(texts):
        calls.append(len(texts))
        return words(texts)

    records = [Record(str(i), f"a{i} b c. " * (1 + i % 50), title=f"t{i}") for i in range(300)]
    many = list(chunk_many(records, budget=20, count=counted))
    assert len(calls) < 10
    assert many == [chunk(record, budget=20, count=words) for record in records]


def test_empty_and_blank_texts():
    assert chunk(Record("a", ""), count=words) == []
    assert [piece.text for piece in chunk(Record("a", " \n" * 5000), budget=5, count=words)] == [" \n" * 5000]


def test_budget_must_be_positive():
    with pytest.raises(ValueError, match="at least 1"):
        chunk(Record("a", "x"), budget=0, count=words)


def test_twenty_thousand_passages_in_a_second():
    passage = "Heat flows from the hot wing into the cold air around it. " * 8
    records = [Record(str(i), passage, title="Heat") for i in range(20_000)]
    start = time.process_time()
    assert sum(len(chunks) for chunks in chunk_many(records, count=words)) == 20_000
    assert time.process_time() - start < 1.0
