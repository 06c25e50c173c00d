"""Texts with one word each: what a dictionary, labels, names, titles or key phrases say of them.

A language model is shown such texts in a prompt that asks for one word, with the word behind it, so that the prompt is
natural to it. The words come from people who wrote dictionaries, labels and key phrases, never from a search.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from isogloss.corpus.examples import LabelledTexts, TaggedSentences
from isogloss.protocols import Record
from isogloss.text.sentences import sentences
from isogloss.text.words import WordRules

TextAndWord = tuple[str, str]
_LOWER = re.compile(r"[a-z]+")
_SHORTEST = 4
"""Letters of a title's or a key phrase's word; shorter ones are particles and initials."""


def labelled(examples: LabelledTexts, words: Mapping[str, str]) -> list[TextAndWord]:
    """Return texts with the word for their label; texts whose label has none are left out.

    Parameters
    ----------
    examples
        Texts with labels.
    words
        A word for the name of each label.

    Examples
    --------
    >>> import numpy as np
    >>> labelled(LabelledTexts(["fine", "dull"], np.array([1, 0]), ["0", "1"]), {"1": "good"})
    [('fine', 'good')]
    """
    names = [examples.names[int(label)] for label in examples.labels]
    return [(text, words[name]) for text, name in zip(examples.texts, names, strict=True) if name in words]


def defined(rows: Iterable[Mapping[str, Any]]) -> list[TextAndWord]:
    """Return the definitions of a dictionary with the word that each defines.

    Parameters
    ----------
    rows
        Each with ``definition`` and ``members``: words of one meaning. The first that is one lower-case word is taken;
        a row without such a word or without a definition is left out.

    Examples
    --------
    >>> defined([{"definition": "a small dog", "members": ["toy dog", "toy"]}, {"definition": "", "members": ["x"]}])
    [('a small dog', 'toy')]
    """
    found = []
    for row in rows:
        word = next((one for one in row["members"] if _LOWER.fullmatch(one)), "")
        if row["definition"] and word:
            found.append((str(row["definition"]), word))
    return found


def named(examples: TaggedSentences) -> list[TextAndWord]:
    """Return sentences with the first word of the first name in them; sentences without a name are left out.

    Parameters
    ----------
    examples
        Sentences whose words are tagged ``O`` where they are no name.

    Examples
    --------
    >>> named(TaggedSentences([["in", "Oslo", "today"], ["rain"]], [["O", "B-LOC", "O"], ["O"]]))
    [('in Oslo today', 'Oslo')]
    """
    found = []
    for words, tags in zip(examples.words, examples.tags, strict=True):
        word = next((word for word, tag in zip(words, tags, strict=True) if tag != "O"), "")
        if word:
            found.append((" ".join(words), word))
    return found


def titled(records: Iterable[Record]) -> list[TextAndWord]:
    """Return first sentences with the longest word of their title that stands in them, in lower case.

    Parameters
    ----------
    records
        Texts with titles; of equally long words the first is taken, and a text without one of at least four letters is
        left out.

    Examples
    --------
    >>> titled([Record("1", "Laurent Bon is a curator. He paints.", title="Laurent Bon (curator)")])
    [('Laurent Bon is a curator.', 'laurent')]
    """
    found = []
    for record in records:
        start, end = next(iter(sentences(record.text)), (0, 0))
        text = record.text[start:end].strip()
        word = _longest(_words(record.title), text)
        if word:
            found.append((text, word))
    return found


def keyed(rows: Iterable[Mapping[str, Any]]) -> list[TextAndWord]:
    """Return sentences with the longest word of a key phrase that stands in them, in lower case.

    Parameters
    ----------
    rows
        Each with ``text`` and ``keyphrases``; every sentence counts by itself, and for each the first key phrase of
        which it has a word of at least four letters.

    Examples
    --------
    >>> keyed([{"text": "We sort quickly. Trees help sorting.", "keyphrases": ["sorting", "red trees"]}])
    [('Trees help sorting.', 'sorting')]
    """
    found = []
    for row in rows:
        phrases = [_words(str(phrase)) for phrase in row["keyphrases"]]
        for start, end in sentences(str(row["text"])):
            text = str(row["text"])[start:end].strip()
            word = next(filter(None, (_longest(phrase, text) for phrase in phrases)), "")
            if word:
                found.append((text, word))
    return found


def _words(text: str) -> list[str]:
    return [word for word, _, _ in WordRules(fold_accents=False).words(text.lower())]


def _longest(words: Sequence[str], text: str) -> str:
    """Return the longest of the words that stands in a text as a word, or an empty string."""
    there = set(_words(text))
    known = [word for word in words if word in there and len(word) >= _SHORTEST and _LOWER.fullmatch(word)]
    return max(known, key=len, default="")
