"""Languages of a card in the ways that cards write them, and prefixes of families."""

from __future__ import annotations

import pytest

from isogloss.encoders.model_card import card_languages, known_prefixes


@pytest.mark.parametrize(
    ("card", "expected"),
    [
        ("---\nlanguage: en\nlicense: mit\n---\n# Model", {"en"}),
        ("---\r\ntags:\r\n- x\r\nlanguage:\r\n- en\r\n- 'zh'\r\n- no\r\nlicense: mit\r\n---\r\n", {"en", "zh", "no"}),
        ("---\nlanguage: [en, deu]\n---", {"en", "deu"}),
        ("---\nlanguage:\n  - af\n  - multilingual\n---\n", None),
        ("---\nlanguage: multilingual\n---\n", None),
        ("---\nlicense: mit\n---\nlanguage: en", None),
        ("# no front matter\nlanguage: en\n", None),
        ("---\nlanguage:\n---\n", None),
    ],
)
def test_languages(tmp_path, card, expected) -> None:
    (tmp_path / "README.md").write_bytes(card.encode())
    assert card_languages(tmp_path) == expected


def test_no_card(tmp_path) -> None:
    assert card_languages(tmp_path) is None


@pytest.mark.parametrize(
    ("name", "query"),
    [
        ("intfloat/e5-base-v2", "query: "),
        ("multilingual-e5-large-instruct", "Instruct: TASK\nQuery: "),
        ("nomic-ai/nomic-embed-text-v1.5", "search_query: "),
        ("BAAI/bge-small-en-v1.5", "Represent this sentence for searching relevant passages: "),
        ("Snowflake/snowflake-arctic-embed-m-v2.0", "query: "),
        ("BAAI/bge-m3", None),
        ("sentence-transformers/all-mpnet-base-v2", None),
        ("thenlper/gte-small", None),
    ],
)
def test_families(name, query) -> None:
    found = known_prefixes(name)
    assert (found[0] if found else None) == query
