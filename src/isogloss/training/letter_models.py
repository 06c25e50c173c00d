"""Models of letters: the world in which a core learns language in seconds; what recipes of pre-training share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from isogloss.arrays import Ragged
from isogloss.nn.pooling import PoolingMode
from isogloss.training.body_encoder import BodyEncoder
from isogloss.training.corpus_batches import Hiding
from isogloss.training.corpus_tokens import blocks, sentences, token_ids
from isogloss.vocabulary.letters import Letters

LETTERS = Letters()
HIDING = Hiding(mask=LETTERS.mask, vocabulary=len(LETTERS), special=LETTERS.special)
LONGEST = 128
"""Most letters of a text, its two marks included."""


def letter_blocks(texts: Sequence[str], length: int) -> Ragged:
    """Return texts end to end as blocks of ``length`` letters, two of them marks.

    Examples
    --------
    >>> letter_blocks(["ab", "cde"], 4).values.tolist()
    [2, 5, 6, 3, 2, 7, 8, 3]
    """
    return blocks(token_ids(texts, LETTERS), length, before=[LETTERS.cls], after=[LETTERS.sep])


def letter_sentences(texts: Sequence[str], longest: int = LONGEST) -> Ragged:
    """Return one sequence of letters a text, cut at ``longest`` letters, two of them marks.

    Examples
    --------
    >>> letter_sentences(["abc"], 4).values.tolist()
    [2, 5, 6, 3]
    """
    return sentences(token_ids(texts, LETTERS), longest, before=[LETTERS.cls], after=[LETTERS.sep], shortest=0)


def letter_encoder(
    body: Any, *, pooling: Sequence[PoolingMode] = ("mean", "max"), name: str = "letters"
) -> BodyEncoder:
    """Return an encoder of texts, letter by letter, over a pre-trained body.

    Parameters
    ----------
    body
        From packed letters to states.
    pooling
        How states become one vector.
    name
        Of the model.
    """
    around = [LETTERS.cls], [LETTERS.sep]
    return BodyEncoder(body, LETTERS, before=around[0], after=around[1], window=LONGEST, pooling=pooling, name=name)
