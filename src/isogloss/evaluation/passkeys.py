"""Passkey retrieval: which of many long texts, alike but for one sentence, hides somebody's pass key."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from isogloss.corpus.judgements import Qrels, TestCollection
from isogloss.errors import UsageError
from isogloss.evaluation.neighbours import hits_at
from isogloss.evaluation.results import TaskResult
from isogloss.evaluation.sample import Sample
from isogloss.evaluation.tasks.encode import Encoding
from isogloss.protocols import Encoder, Progress, Record, Silent
from isogloss.seeding import generator

FILLER: tuple[str, ...] = (
    "The meadow is wide.",
    "The river runs slowly.",
    "Clouds drift over the hills.",
    "A path leads on.",
    "It turns and comes back again.",
)
"""Sentences that say nothing of anybody; they are repeated until a text is long enough."""
_FIRST = (
    "Amina", "Bruno", "Celia", "Dmitri", "Elena", "Farid", "Greta", "Hugo", "Ingrid", "Jamal", "Keiko", "Lorenzo",
    "Mirela", "Nadim", "Olga", "Pavel", "Quentin", "Rosa", "Stefan", "Tamara", "Umar", "Vera", "Wanda", "Yusuf",
)  # fmt: skip
_LAST = (
    "Abbott", "Bergman", "Castillo", "Dvorak", "Eriksen", "Fontaine", "Gallagher", "Hoffman", "Ibarra", "Jansen",
    "Kowalski", "Lindgren", "Moreau", "Nakamura", "Okafor", "Petrov", "Quigley", "Rossi", "Schneider", "Takahashi",
    "Ulrich", "Vargas", "Whitman", "Zielinski",
)  # fmt: skip
MOST = len(_FIRST) * len(_LAST)
"""People that can be told apart by name."""


def passkey_collection(tokens: Callable[[str], int], *, length: int, people: int = 24, seed: int = 0) -> TestCollection:
    """Make a text for each person: filler of ``length`` tokens that tells the person's pass key at a place of chance.

    After the Personalized Passkey Retrieval of LongEmbed (Zhu et al. 2024, https://arxiv.org/abs/2404.12096). Every
    question asks for one person's key; the text that holds it is the answer. First names and surnames are drawn apart,
    so that two people may share one of them.

    Parameters
    ----------
    tokens
        Number of tokens of a text, special ones included, by the tokenizer that lengths are counted with.
    length
        Most tokens of a text; it has at most one sentence fewer.
    people
        Texts, and questions.
    seed
        Chooses names, keys and places: each place among the sentences of the filler is as likely.

    Raises
    ------
    UsageError
        For more people than there are names, or a length that the sentence of the key alone exceeds.

    Examples
    --------
    >>> made = passkey_collection(lambda text: len(text.split()), length=60, people=3)
    >>> len(made.documents), list(made.queries.values())[0].startswith("What is the pass key")
    (3, True)
    """
    if not 2 <= people <= MOST:
        raise UsageError(f"there cannot be {people} people", f"there are names for {MOST}", f"2 to {MOST}")
    rng = generator(seed, "passkeys", length)
    names = [f"{_FIRST[i // len(_LAST)]} {_LAST[i % len(_LAST)]}" for i in rng.permutation(MOST)[:people]]
    keys = rng.permutation(90_000)[:people] + 10_000
    around = tokens("")  # what the tokenizer adds
    sizes = [tokens(sentence) - around for sentence in FILLER]
    documents, queries, qrels = [], {}, Qrels()
    for number, (name, key) in enumerate(zip(names, keys, strict=True)):
        told = f"The pass key of {name} is {key}. Remember that {key} is the pass key of {name}."
        sentences = _filler(sizes, length - tokens(told), told, length)
        place = int(rng.integers(len(sentences) + 1))
        documents.append(Record(f"t{number}", " ".join([*sentences[:place], told, *sentences[place:]])))
        queries[f"p{number}"] = f"What is the pass key of {name}?"
        qrels[f"p{number}"] = {f"t{number}": 1.0}
    return TestCollection(documents, queries, qrels, name=f"passkeys in {length} tokens")


def _filler(sizes: Sequence[int], room: int, told: str, length: int) -> list[str]:
    """Return as many sentences as there is room for."""
    if room < 0:
        raise UsageError(f"{length} tokens do not hold a pass key", f"{told!r} has {-room} more", "longer texts")
    sentences: list[str] = []
    while room >= sizes[len(sentences) % len(sizes)]:
        room -= sizes[len(sentences) % len(sizes)]
        sentences.append(FILLER[len(sentences) % len(FILLER)])
    return sentences


def found_keys(encoding: Encoding, made: TestCollection) -> Sample:
    """Return for each question whether its own text scores above all others (a tie is a failure): accuracy@1."""
    asked = encoding.of(list(made.queries.values()), "query")
    texts = encoding.of([record.text for record in made.documents], "document")
    scores = np.asarray(encoding.encoder.similarity(asked, texts))  # (people, people)
    return hits_at(scores, np.arange(len(asked)), k=1)


def run(
    encoder: Encoder, tokens: Callable[[str], int], *, lengths: Sequence[int] = (256, 512, 1024), people: int = 24,
    seed: int = 0, progress: Progress | None = None,
) -> TaskResult:  # fmt: skip
    """Measure how often an encoder finds the text that holds a pass key, at each length.

    Parameters
    ----------
    encoder
        What is judged; texts beyond its window are cut, and counted in ``details``.
    tokens, people, seed
        As those of :func:`passkey_collection`.
    lengths
        Tokens of a text.
    progress
        Where the number of encoded texts goes.

    Returns
    -------
    TaskResult
        ``accuracy@1 at LENGTH`` for each length; the longest one counts.

    Examples
    --------
    >>> from isogloss.encoders.lexical import WordEncoder
    >>> run(WordEncoder(), lambda text: len(text.split()), lengths=(50, 90), people=4).main
    'accuracy@1 at 90'
    """
    if not lengths:
        raise UsageError("passkeys need a length", "the list is empty", "give one or more, as 512")
    samples, cut, seconds = {}, {}, 0.0
    for length in lengths:
        encoding = Encoding(encoder, progress or Silent())
        sample = found_keys(encoding, passkey_collection(tokens, length=length, people=people, seed=seed))
        samples[f"accuracy@1 at {length}"], cut[str(length)] = sample, encoding.report.to_dict()
        seconds += encoding.seconds
    main = f"accuracy@1 at {max(lengths)}"
    return TaskResult("passkeys", "long texts", main, samples, {"people": people, "encoding": cut}, seconds)
