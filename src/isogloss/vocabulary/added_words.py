"""Whole words as new tokens of a tokenizer, and which tokens of the old and the new cut end at the same place."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.errors import UsageError

_WORD = re.compile(r"\b[^\W\d_]{3,}\b")
Ids = NDArray[np.int64]


def split_words(
    texts: Iterable[str], tokenizer: Any, *, pieces: int = 2, rarest: int = 5, most: int | None = None
) -> dict[str, int]:
    """Count the words of some texts that a tokenizer cuts into pieces: candidates for tokens of their own.

    Parameters
    ----------
    texts
        Of the domain.
    tokenizer
        A ``tokenizers.Tokenizer``.
    pieces
        Fewest pieces.
    rarest
        In how many texts a word occurs at least.
    most
        How many words; None for all.

    Returns
    -------
    dict
        Lower-cased words of three letters and more by falling number of texts, equal ones in alphabetical order.

    Examples
    --------
    >>> from tokenizers import Tokenizer, models, pre_tokenizers
    >>> cut = Tokenizer(models.WordPiece({"[UNK]": 0, "wing": 1, "flut": 2, "##ter": 3}, unk_token="[UNK]"))
    >>> cut.pre_tokenizer = pre_tokenizers.Whitespace()
    >>> split_words(["flutter wing", "wing flutter flutter"], cut, rarest=2)
    {'flutter': 2}
    """
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update({word.lower() for word in _WORD.findall(text)})
    ordered = sorted(
        (word for word, count in counts.items() if count >= rarest), key=lambda word: (-counts[word], word)
    )
    cut = tokenizer.encode_batch(ordered, add_special_tokens=False)
    found = [word for word, encoding in zip(ordered, cut, strict=True) if sum(encoding.attention_mask) >= pieces]
    return {word: counts[word] for word in found[:most]}


def with_words(tokenizer: Any, words: Sequence[str]) -> Any:
    """Return a copy of a tokenizer in which each word is one token, wherever it stands as a whole word.

    The pieces of all other words stay: ``flutter`` as a token leaves ``fluttering`` as it was. New tokens are numbered
    from the end of the vocabulary, in the order of ``words``.

    Parameters
    ----------
    tokenizer
        A ``tokenizers.Tokenizer``; it is not changed.
    words
        Distinct, each of two pieces or more.

    Raises
    ------
    UsageError
        Where a word occurs twice, is one token already, or would not be found as one token.

    Examples
    --------
    >>> from tokenizers import Tokenizer, models, pre_tokenizers
    >>> old = Tokenizer(models.WordPiece({"[UNK]": 0, "flut": 1, "##ter": 2, "##ing": 3}, unk_token="[UNK]"))
    >>> old.pre_tokenizer = pre_tokenizers.Whitespace()
    >>> with_words(old, ["flutter"]).encode("flutter fluttering").ids
    [4, 1, 2, 3]
    """
    from tokenizers import AddedToken, Tokenizer

    if not words or len(set(words)) < len(words):
        raise UsageError("new words are distinct", f"{len(words)} words, {len(set(words))} distinct", "list each once")
    known = [word for word, pieces in zip(words, word_pieces(tokenizer, words), strict=True) if len(pieces) < 2]
    if known:
        why = f"{len(known)} of {len(words)}, such as {known[0]!r}"
        raise UsageError("a new word is one token already", why, "leave it out: there is nothing to gain")
    made = Tokenizer.from_str(tokenizer.to_str())
    made.add_tokens([AddedToken(word, single_word=True, normalized=True) for word in words])
    first = tokenizer.get_vocab_size()
    found = word_pieces(made, words)
    cut = [ids.tolist() == [first + number] for number, ids in enumerate(found)]
    lost = [word for word, whole in zip(words, cut, strict=True) if not whole or word != word.strip()]
    if lost:
        raise UsageError(
            "a new word is not found as one token", f"{len(lost)} of {len(words)}, such as {lost[0]!r}",
            "write it as the tokenizer does: without blanks around it, in lower case where it lowers case",
        )  # fmt: skip
    return made


def word_pieces(tokenizer: Any, words: Sequence[str]) -> list[Ids]:
    """Return the numbers of each word's tokens, without special ones and without padding."""
    encodings = tokenizer.encode_batch(list(words), add_special_tokens=False)
    return [np.array(one.ids, np.int64)[np.array(one.attention_mask, bool)] for one in encodings]


def same_ends(old: Ids, new: Ids) -> tuple[Ids, Ids]:
    """Pair the tokens of two cuts of one text that end at the same character.

    A word that is one token in the new cut is paired with the last of its pieces in the old one; tokens that both cuts
    have are paired with themselves. Special tokens (empty spans) are paired in their order, at each end of the text;
    of several tokens that end at one character (bytes of it) the last counts.

    Parameters
    ----------
    old, new
        ``(T, 2)`` and ``(S, 2)`` character spans of the tokens.

    Returns
    -------
    tuple
        Places in the old and in the new cut, ``(m,)`` each, ascending.

    Examples
    --------
    >>> old = np.array([[0, 0], [0, 4], [4, 7], [8, 9], [0, 0]])  # [CLS] flut ##ter a [SEP]
    >>> new = np.array([[0, 0], [0, 7], [8, 9], [0, 0]])
    >>> [one.tolist() for one in same_ends(old, new)]
    [[0, 2, 3, 4], [0, 1, 2, 3]]
    """
    places, others = ({key: place for place, key in enumerate(_keys(spans))} for spans in (old, new))
    pairs = sorted((places[key], place) for key, place in others.items() if key in places)
    first, second = zip(*pairs, strict=True) if pairs else ((), ())
    return np.array(first, np.int64), np.array(second, np.int64)


def _keys(spans: Ids) -> list[tuple[str, int]]:
    """Return a name for each token that equal tokens of another cut share."""
    real = np.flatnonzero(spans[:, 1] > spans[:, 0])
    begin, end = (int(real[0]), int(real[-1])) if len(real) else (len(spans), len(spans))
    keys = []
    for place, (start, stop) in enumerate(spans.tolist()):
        if stop > start:
            keys.append(("ends", stop))
        elif place < begin:
            keys.append(("before", place))
        else:
            keys.append(("after", place - end))
    return keys
