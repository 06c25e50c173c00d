"""Tokenizers drawn at random: pieces of words by noisy frequency, as a unigram model over bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from isogloss.errors import CorpusError, UsageError

LONGEST = 8
"""Longest piece, in bytes."""
MARKS = ("<pad>", "<s>", "</s>")
"""Special tokens, numbers 0, 1 and 2."""


def piece_counts(
    texts: Sequence[str], *, longest: int = LONGEST, most: int = 30_000, rarest: int = 3
) -> dict[str, int]:
    """Count the pieces of the words of some texts: every run of bytes inside a word, in byte-level characters.

    Parameters
    ----------
    texts
        Where to count.
    longest
        Longest piece in bytes.
    most, rarest
        Pieces that are kept: the most frequent ones, of at least so many occurrences.

    Returns
    -------
    dict
        Pieces of two bytes and more by falling count; a leading blank is part of a word, written ``Ġ``.

    Raises
    ------
    CorpusError
        Where no piece occurs often enough.

    Examples
    --------
    >>> piece_counts(["the the the cat"], longest=3, rarest=2)
    {'th': 3, 'the': 3, 'he': 3, 'Ġt': 2, 'Ġth': 2}
    """
    from tokenizers import pre_tokenizers

    splitter = pre_tokenizers.ByteLevel(add_prefix_space=False)
    words = Counter(word for text in texts for word, _ in splitter.pre_tokenize_str(text))
    found: Counter[str] = Counter()
    for word, count in words.items():
        for start in range(len(word)):
            for end in range(start + 2, min(len(word), start + longest) + 1):
                found[word[start:end]] += count
    kept = {piece: count for piece, count in found.most_common(most) if count >= rarest}
    if not kept:
        raise CorpusError("these texts have no frequent piece", f"none occurs {rarest} times", "give more text")
    return kept


def sampled_unigram(
    counts: Mapping[str, int], size: int, *, noise: float = 0.0, rng: np.random.Generator | None = None
) -> Any:
    """Make a tokenizer of the most frequent pieces, their counts multiplied by log-normal noise.

    A unigram language model (Kudo 2018, https://arxiv.org/abs/1804.10959) whose scores are the noisy log frequencies;
    the 256 bytes are always in it, so that no text has an unknown token. Drawing such tokenizers shows a hypernetwork
    many of them (Minixhofer, Ponti, Vulić 2024, section 3.2, https://arxiv.org/abs/2405.07883).

    Parameters
    ----------
    counts
        From :func:`piece_counts`.
    size
        Tokens in all, marks and bytes included.
    noise
        Standard deviation of the noise on a logarithmic scale.
    rng
        Of the noise.

    Returns
    -------
    tokenizers.Tokenizer
        Tokens 0, 1, 2 are ``<pad>``, ``<s>`` and ``</s>``.

    Raises
    ------
    UsageError
        Where there is no room for pieces, or fewer pieces than that, or noise without a generator.

    Examples
    --------
    >>> tokenizer = sampled_unigram({"th": 9, "the": 8, "Ġc": 3}, 262)
    >>> tokenizer.encode("the c").tokens
    ['the', 'Ġc']
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    room = size - len(alphabet) - len(MARKS)
    if room < 1 or room > len(counts):
        least = len(alphabet) + len(MARKS) + 1
        raise UsageError(
            f"{size} tokens are not possible", f"there are {len(counts)} pieces besides {least - 1} bytes and marks",
            f"ask for {least} to {least - 1 + len(counts)}",
        )  # fmt: skip
    if noise and rng is None:
        raise UsageError("noise needs a generator", "rng is None")
    pieces = list(counts)
    scores = np.log(np.array([counts[piece] for piece in pieces], np.float64))
    if rng is not None and noise:
        scores = scores + rng.normal(0.0, noise, len(scores))
    best = np.argsort(-scores, kind="stable")[:room]
    total = np.logaddexp.reduce(scores[best])
    lowest = float(scores[best].min() - total) - 10.0  # a lone byte is worth less than any piece
    entries = [(mark, 0.0) for mark in MARKS] + [(byte, lowest) for byte in alphabet]
    entries += [(pieces[i], float(scores[i] - total)) for i in best]
    tokenizer = Tokenizer(models.Unigram(entries, None, False))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def decomposed(tokens: Sequence[str], tokenizer: Any) -> list[list[int]]:
    """Return how another byte-level tokenizer writes each token; marks are its marks of the same name.

    Parameters
    ----------
    tokens
        Tokens in byte-level characters.
    tokenizer
        A ``tokenizers.Tokenizer`` over byte-level characters.

    Raises
    ------
    UsageError
        Where it cannot write a token, because it does not know all bytes or the mark.

    Examples
    --------
    >>> small = sampled_unigram({"th": 9}, 260)
    >>> [len(ids) for ids in decomposed(["the", "th"], small)]
    [2, 1]
    """
    found = []
    for token in tokens:
        mark = tokenizer.token_to_id(token) if token in MARKS else None
        ids = [mark] if mark is not None else [int(one.id) for one in tokenizer.model.tokenize(token)]
        if not ids or (token in MARKS and mark is None):
            raise UsageError(f"the old tokenizer cannot write {token!r}", "", "use byte-level tokenizers with marks")
        found.append(ids)
    return found
