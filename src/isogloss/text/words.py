"""Words of a text in any script, as the word search sees them: one tokenisation for single texts and for bulk."""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Iterator
from itertools import pairwise
from typing import TypeVar

from isogloss.text.folding import fold_accents as without_accents
from isogloss.text.folding import normal_form
from isogloss.text.hashing import hash_term
from isogloss.text.scripts import ASCII_WORD, cluster_pattern, composed_pattern, word_pattern
from isogloss.text.stemming import check_language, stemmer, stemmer_version
from isogloss.text.stopwords import stop_words as function_words

VERSION = 1
"""Changes whenever a text may give other words than before; part of the word encoder's identity."""

Word = tuple[str, int, int]
T = TypeVar("T")
_REMEMBERED = 1 << 18


class WordRules:
    """The rules by which texts are cut into words, with the words met so far remembered.

    Parameters
    ----------
    language
        ISO 639-1 code: words are stemmed (Snowball). None: any language, words stay whole.
    stop_words
        Leave out the function words of ``language``.
    fold_accents
        Take accents off, so that ``naive`` finds ``naïve``. In Vietnamese, where they part words, say False.

    Raises
    ------
    UsageError
        A language without a stemmer, or without a list of function words where they are to be left out.

    Examples
    --------
    >>> WordRules().words("Über ﬁve_files, 大熊猫")
    [('uber', 0, 4), ('five', 5, 8), ('files', 9, 14), ('大熊', 16, 18), ('熊猫', 17, 19)]
    >>> [word for word, _, _ in WordRules(language="en", stop_words=True).words("The connections were lost")]
    ['connect', 'lost']
    """

    def __init__(self, *, language: str | None = None, stop_words: bool = False, fold_accents: bool = True) -> None:
        check_language(language)
        self.language, self.stop_words, self.fold_accents = language, stop_words, fold_accents
        self._stem = stemmer(language)
        plain = {normal_form(word) for word in function_words(language)} if stop_words else set()
        self._left_out = frozenset(map(without_accents, plain) if fold_accents else plain)
        self._terms: dict[str, tuple[str, ...]] = {}
        self._hashes: dict[str, tuple[int, ...]] = {}
        self._pair_hashes: dict[str, int] = {}

    @property
    def changes_ascii(self) -> bool:
        """Say whether a lower-case ASCII word may become another term than itself."""
        return self._stem is not None or bool(self._left_out)

    @property
    def signature(self) -> str:
        """What decides the words of a text, as a short stable string."""
        folded = "folded" if self.fold_accents else "accents"
        stopped = "stop" if self.stop_words else "all"
        return f"words-{VERSION}:{self.language or 'any'}:{stemmer_version(self.language)}:{stopped}:{folded}"

    def words(self, text: str) -> list[Word]:
        """Return the words of a text in order: normalised word, start and end in characters of ``text``."""
        pattern = ASCII_WORD if text.isascii() else word_pattern()
        found: list[Word] = []
        for match in pattern.finditer(text):
            start, end = match.span()
            if match.lastindex:
                found.extend(_pairs(self._units(match[0], start)))
            else:
                found.extend((term, start, end) for term in self._of_raw(match[0]))
        return found

    def terms(self, text: str) -> list[str]:
        """Return the words of a text in order, without spans."""
        return [term for term, _, _ in self.words(text)]

    def hashes(self, text: str) -> list[int]:
        """Return the hashes of the words of a text, in the order of ``words``."""
        found: list[int] = []
        known = self._hashes
        if text.isascii():
            for raw in ASCII_WORD.findall(text):
                found.extend(known[raw] if raw in known else self._raw_hashes(raw))
            return found
        for match in word_pattern().finditer(text):
            raw = match[0]
            if match.lastindex:
                found.extend(self._unspaced_hashes(raw))
            else:
                found.extend(known[raw] if raw in known else self._raw_hashes(raw))
        return found

    def _raw_hashes(self, raw: str) -> tuple[int, ...]:
        hashes = tuple(map(hash_term, self._of_raw(raw)))
        _remember(self._hashes, raw, hashes)
        return hashes

    def _of_raw(self, raw: str) -> tuple[str, ...]:
        """Return the terms of one raw word: nearly always one, none for a stop word."""
        terms = self._terms.get(raw)
        if terms is None:
            word = normal_form(raw)
            if raw.isascii() or _is_one_word(word):
                terms = tuple(filter(None, self.finished([word])))
            else:  # a compatibility form that hides a space or a sign, such as ½ or ﷺ
                terms = tuple(term for piece in _pieces(word) for term in self._of_piece(piece))
            _remember(self._terms, raw, terms)
        return terms

    def _of_piece(self, piece: str) -> tuple[str, ...]:
        match = word_pattern().fullmatch(piece)
        if match is not None and match.lastindex:
            return tuple(term for term, _, _ in _pairs([(char, 0, 0) for char in _clusters(piece)]))
        return tuple(filter(None, self.finished([piece])))

    def finished(self, words: list[str]) -> list[str]:
        """Stem words in normal form and take their accents off; those that are left out become empty strings."""
        folded = list(map(without_accents, words)) if self.fold_accents else words
        left_out = [word in self._left_out for word in folded]
        if self._stem is not None:
            folded = self._stem(words)
            if self.fold_accents:
                folded = list(map(without_accents, folded))
        return ["" if out else word for word, out in zip(folded, left_out, strict=True)]

    def _units(self, run: str, start: int) -> Iterator[Word | None]:
        """Yield the characters of an unspaced run with their spans, and None where a spaced word parts them."""
        if _is_plain(run):
            yield from ((char, start + i, start + i + 1) for i, char in enumerate(run))
            return
        for match in cluster_pattern().finditer(run):
            a, b = start + match.start(), start + match.end()
            for piece in word_pattern().finditer(normal_form(match[0])):
                if piece.lastindex:
                    yield from ((char, a, b) for char in _clusters(piece[0]))
                else:  # a squared sign such as ㎏
                    yield None
                    yield from ((term, a, b) for term in self.finished([piece[0]]) if term)
                    yield None

    def _unspaced_hashes(self, run: str) -> list[int]:
        known = self._pair_hashes
        if _is_plain(run) and len(run) > 1:
            terms = [run[i : i + 2] for i in range(len(run) - 1)]
        else:
            terms = [term for term, _, _ in _pairs(self._units(run, 0))]
        for term in terms:
            if term not in known:
                if len(known) >= _REMEMBERED:
                    return list(map(hash_term, terms))
                known[term] = hash_term(term)
        return [known[term] for term in terms]


def words(text: str, *, language: str | None = None, stop_words: bool = False, fold_accents: bool = True) -> list[Word]:
    """Return the words of a text as ``(normalised, start, end)``, with spans in characters of the text.

    A word is a run of letters, digits and marks of any script, in compatibility form (NFKC), case-folded, accents
    folded unless ``fold_accents`` is False. In scripts without spaces (Chinese, Japanese, Thai, Lao, Khmer, Myanmar)
    and in Korean each pair of neighbouring characters is a word; a single character between other signs is one by
    itself.

    Examples
    --------
    >>> words("Gare de l'Évêché")
    [('gare', 0, 4), ('de', 5, 7), ('l', 8, 9), ('eveche', 10, 16)]
    """
    return _rules(language, stop_words, fold_accents).words(text)


@functools.lru_cache(16)
def _rules(language: str | None, stop_words: bool, fold_accents: bool) -> WordRules:
    return WordRules(language=language, stop_words=stop_words, fold_accents=fold_accents)


def _pairs(units: Iterator[Word | None] | list[Word | None]) -> Iterator[Word]:
    """Yield overlapping pairs of neighbouring units; a unit without a neighbour stands alone."""
    run: list[Word] = []
    for unit in units:
        if unit is not None:
            run.append(unit)
            continue
        yield from _run_pairs(run)
        run = []
    yield from _run_pairs(run)


def _run_pairs(run: list[Word]) -> Iterator[Word]:
    if len(run) == 1:
        yield run[0]
    for (a, start, _), (b, _, end) in pairwise(run):
        yield a + b, start, end


def _is_plain(run: str) -> bool:
    """Say whether each character of an unspaced run is a unit in normal form."""
    return composed_pattern().search(run) is None and unicodedata.is_normalized("NFKC", run)


def _clusters(run: str) -> list[str]:
    return cluster_pattern().findall(run)


def _pieces(word: str) -> list[str]:
    return [match[0] for match in word_pattern().finditer(word)]


def _is_one_word(word: str) -> bool:
    match = word_pattern().fullmatch(word)
    return match is not None and not match.lastindex


def _remember(memory: dict[str, T], key: str, value: T) -> None:
    """Keep a value, and start over where too much is kept."""
    if len(memory) >= _REMEMBERED:
        memory.clear()
    memory[key] = value
