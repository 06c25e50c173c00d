"""Making Monolingual Sentence Embeddings Multilingual using Knowledge Distillation (Reimers and Gurevych, 2020).

A good encoder of one language is the teacher of a student of two, which learns the teacher's vector of a sentence for
the sentence and for its translation, by the squared error of both. Here the student is a table of token vectors.
"""

from functools import cache, partial
from typing import Any

import numpy as np

from isogloss.corpus.translations import translations_of
from isogloss.encoders.static import StaticEncoder, TokenVectors
from isogloss.evaluation.neighbours import cosines, hits_at
from isogloss.evaluation.sample import Sample
from isogloss.objectives.distillation import FeatureDistillation
from isogloss.recipes._card import Card
from isogloss.recipes._lab import Evidence, Lab, Run
from isogloss.training.static_training import new_static, train_static
from isogloss.training.tokenizer_learning import word_pieces
from isogloss.vocabulary.tokenizer_pieces import TokenizerPieces

CARD = Card(
    slug="multilingual-kd", seed=97,
    title="Making Monolingual Sentence Embeddings Multilingual using Knowledge Distillation",
    year=2020, url="https://arxiv.org/abs/2004.09813", family="sentence-encoders", sort="method",
    claim="A student that learns its teacher's vectors of sentences and of their translations ranks pairs of the new "
    "language better than the teacher does.",
    regime="A good encoder of one language, and thousands of its sentences with their translations.",
    baseline="the teacher, which has hardly read German",
    placebo="the same lesson with the translations of other sentences", fidelity="same kind",
    needs={"teacher": "minilm", "first": "sts-b", "second": "sts-b-multi", "bitext": "tatoeba"},
    margin=0.08, minutes=5,
    deviations=(
        "a static student of 12,000 tokens instead of XLM-R: MiniLM with German words needs more than 40 steps to gain",
        "tried on seed 999: 6,000 to 20,000 tokens, 300 to 1,500 steps; more came no nearer to the teacher in German",
        "10,000 captions and headlines with machine translations instead of half a million sentences",
        "English is compared with a student of English alone, for no static student is as good as MiniLM",
        "wrong translations find a few right ones by names that both languages share: 7 of 100 on seed 999, not 5",
    ),
)  # fmt: skip


def make(columns: Any, targets: Any, *, tokens: int = 12000, seed: int = 0, **training: Any) -> StaticEncoder:
    """Return a static student of the teacher's vectors.

    Parameters
    ----------
    columns, targets
        Sentences and their translations, or one of both; the teacher's vectors ``(n, d)`` of the sentences.
    tokens, seed
        How many tokens it has, learned from the texts; seed of start and order.
    training
        Settings of ``train_static``: ``steps``, ``batch_size``, ``learning_rate``.
    """
    pieces = TokenizerPieces(word_pieces([text for column in columns for text in column], tokens).to_str())
    rows = new_static(pieces, targets.shape[1], seed=seed).vectors.rows
    start = StaticEncoder(pieces, TokenVectors(rows, np.full(len(rows), 0.05, np.float32)))  # unmet tokens say little
    return train_static(start, columns, FeatureDistillation(), labels=targets, seed=seed, **training)


def check(lab: Lab) -> Evidence:
    """Judge the teacher and students of right and wrong translations in German, in English and between them."""
    teacher, bitext = lab.model("teacher"), lab.data("bitext")
    tests = [lab.data("first", "test"), lab.data("second", "de.test")]
    held = {text for data in tests for text in (*data.left, *data.right)} | {*bitext.source, *bitext.target}
    pairs = translations_of(lab.data("first", "train"), lab.data("second", "de.train"))
    both = zip(lab.texts("first", part="train"), pairs.items(), strict=True)
    english, german = zip(*[(text, pair[1]) for text, pair in both if not {*pair} & held], strict=True)
    lesson = cache(lambda: teacher.encode(english))

    def student(run: Run, mixed: bool = False, languages: str = "en de") -> Any:
        other = list(lab.rng(run, "partners").permutation(np.array(german, object))) if mixed else german
        columns = [{"en": english, "de": other}[one] for one in languages.split()]
        return make(columns, lesson(), steps=500, batch_size=128, learning_rate=1e-2, seed=run.seed)

    def found(encoder: Any) -> Sample:
        near = cosines(encoder.encode(bitext.source), encoder.encode(bitext.target))
        return hits_at(near, np.arange(len(near)), k=1)

    mixed, own = partial(student, mixed=True), partial(student, languages="en")
    return lab.evidence(
        primary=lab.better(student, lambda run: teacher, mixed, judge=lab.judge("second"), name="STS in German"),
        guards=[
            lab.recovers(student, lambda run: teacher, truth=found, at_least=0.4, placebo=mixed, name="translations"),
            lab.not_worse(student, own, judge=lab.judge("first"), margin=0.02, name="English is kept"),
            lab.reported(partial(student, languages="de"), judge=lab.judge("first"), name="English, by German alone"),
        ],
    )
