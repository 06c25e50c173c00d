"""LongEmbed: Extending Embedding Models for Long Context Retrieval (Zhu et al., 2024).

Models with a table of 512 positions read longer texts without training where positions are used again: from the start
(recurrent), shared by neighbours (grouped), or interpolated; or where windows are encoded apart and averaged. The test
hides each person's pass key in a long filler text. Rotary models are extended by parts of the same package (NTK-aware
base, SelfExtend); the benchmark's real tasks and the tuning of new positions are left out.
"""

from functools import cache
from typing import Any

import numpy as np

from isogloss.arrays import Dense
from isogloss.encoders.extended import extended
from isogloss.encoders.positions import trained_places
from isogloss.encoders.windows import windowed
from isogloss.evaluation.neighbours import cosines, hits_at
from isogloss.evaluation.passkeys import passkey_collection
from isogloss.evaluation.sample import Sample
from isogloss.protocols import EncodeReport
from isogloss.recipes._card import Card
from isogloss.recipes._lab import Evidence, Lab, Run

CARD = Card(
    slug="longembed",
    seed=212,
    title="LongEmbed: Extending Embedding Models for Long Context Retrieval",
    year=2024,
    url="https://arxiv.org/abs/2404.12096",
    family="evaluation",
    sort="method",
    claim="With its 512 positions used again from the start, a model finds pass keys in texts of 1,024 tokens better "
    "than by their first 512.",
    regime="An encoder with a table of positions; texts twice as long as the table, all of it filler but one place.",
    baseline="the same model on the first 512 tokens",
    placebo="the same 1,024 positions in an order of chance: as many tokens read, but nowhere in sequence",
    fidelity="transposed",
    needs={"base": "minilm"},
    margin=0.1,
    minutes=8,
    deviations=(
        "MiniLM instead of E5; 1,024 tokens instead of up to 32,768",
        "passkeys alone, 40 people: neither needles nor the four real tasks",
        "no tuning of added positions",
    ),
)
_PEOPLE, _LENGTH, _TRAINED = 40, 1024, 512


def make(base: Any, *, positions: Any = "recurrent", window: int = _LENGTH) -> Any:
    """Return the encoder with a longer window.

    Parameters
    ----------
    base
        A transformer encoder of a folder.
    positions
        A method of ``encoders.extended``, or the trained position of each place.
    window
        Tokens that fit.

    Examples
    --------
    With a model on the machine::

        make(load_encoder("minilm"), positions="grouped").window  # 1024
    """
    return extended(base, positions, window)


def check(lab: Lab) -> Evidence:
    """Hide pass keys in 1,024 tokens; read all of them by positions used again, or the first 512."""
    base: Any = lab.model("base")

    def tokens(text: str) -> int:
        return len(base.tokenizer.tokenizer.encode(text).ids)

    @cache
    def hidden(seed: int) -> Any:
        return passkey_collection(tokens, length=_LENGTH, people=_PEOPLE, seed=seed)

    def scores(encoder: Any, run: Run) -> Dense:
        made = hidden(run.seed)
        texts = encoder.encode([record.text for record in made.documents], report=EncodeReport())  # a cut is meant
        return cosines(encoder.encode(list(made.queries.values())), texts)

    def found(made: Dense) -> Sample:
        return hits_at(made, np.arange(len(made)), k=1)

    def truncated(run: Run) -> Any:
        return scores(make(base, window=_TRAINED), run)

    def recurrent(run: Run) -> Any:
        return scores(make(base), run)

    def shuffled(run: Run) -> Any:
        places = trained_places("recurrent", _LENGTH, _TRAINED)
        return scores(make(base, positions=lab.rng(run, "places").permutation(places)), run)

    def gaps(length: int) -> Any:
        texts = [record.text for record in passkey_collection(tokens, length=length, people=2).documents]
        plain = make(base, window=_TRAINED).encode(texts, report=EncodeReport())
        return np.stack([make(base, positions=one).encode(texts) - plain for one in ("recurrent", "grouped")])

    def extended_by(method: str) -> Any:
        return lambda run: scores(make(base, positions=method), run)

    return lab.evidence(
        primary=lab.better(recurrent, truncated, shuffled, judge=found, name="recurrent positions"),
        guards=[
            lab.better(extended_by("grouped"), truncated, shuffled, judge=found, name="grouped positions"),
            lab.better(extended_by("interpolated"), truncated, shuffled, judge=found, name="interpolated positions"),
            lab.exact(lambda run: gaps(_TRAINED), invariant=lambda gap: float(np.abs(gap).max()), within=1e-5,
                      broken=lambda run: gaps(600), name="texts of 512 tokens keep their vectors"),
            lab.reported(lambda run: scores(windowed(make(base, window=_TRAINED)), run), judge=found,
                         name="two windows, averaged"),
        ],
        immune={"shuffled": "nothing is fitted", "labels": "the right text follows from the names"},
    )  # fmt: skip
