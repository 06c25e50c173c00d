"""SGPT: GPT Sentence Embeddings for Semantic Search (Muennighoff, 2022).

A causal language model as a bi-encoder: the states of a text's tokens are averaged with weights 1, 2, 3 ..., because
later tokens have seen more; only biases are tuned, by a softmax over the pairs of a batch; questions and documents
stand in brackets of their own. The paper's cross-encoder, which asks how probable the question is behind a document, is
left out.
"""

from collections.abc import Sequence
from functools import cache, partial
from typing import Any

import numpy as np

from isogloss.evaluation.neighbours import cosines, known_item
from isogloss.evaluation.sample import Sample
from isogloss.recipes._card import Card
from isogloss.recipes._lab import Evidence, Lab, Run
from isogloss.training.bias_tuning import bias_tuned
from isogloss.training.causal_models import LabCausal
from isogloss.training.causal_prompts import DOCUMENT_BRACKETS, QUERY_BRACKETS
from isogloss.training.causal_readings import CausalReading, ChanceWeights, StateReading
from isogloss.training.prompted_encoder import PromptedEncoder

CARD = Card(
    slug="sgpt",
    seed=135,
    title="SGPT: GPT Sentence Embeddings for Semantic Search",
    year=2022,
    url="https://arxiv.org/abs/2202.08904",
    family="sentence-encoders",
    sort="method",
    claim="Tuned by its biases alone, a causal language model searches better with a mean weighted by position than "
    "with its last token.",
    regime="Questions and the sentences that answer them; tuned on pairs of the same kind.",
    baseline="the last token, tuned alike",
    placebo="the same weights in an order of chance in each text, tuned alike",
    fidelity="transposed",
    needs={"base": "tiny-lm", "pairs": "squad-sentence-pairs", "search": "squad-dev-sentence-retrieval"},
    margin=0.01,
    minutes=4,
    deviations=(
        "two layers and 40 steps of 32 pairs instead of billions of weights and batches of 1,024",
        "1,000 questions over 1,700 sentences, cut at 128 tokens, instead of BEIR; no negatives but those of the batch",
        "the bi-encoder alone, without the cross-encoder by likelihood",
        "the last token of so small a model, tuned or not, finds hardly anything: the placebo and the plain mean count",
    ),
)
_STEPS, _LONGEST, _DOCUMENTS, _QUESTIONS = 40, 110, 1700, 1000


def make(
    model: Any, pairs: tuple[Sequence[str], Sequence[str]] | None = None, *, reading: CausalReading | None = None,
    brackets: bool = True, steps: int = 200, batch_size: int = 32, learning_rate: float = 1e-2,
    temperature: float = 0.05, seed: int = 0,
) -> PromptedEncoder:  # fmt: skip
    """Return the bi-encoder, tuned where there are pairs.

    Parameters
    ----------
    model
        A causal base model of the Lab.
    pairs
        Questions, and the text that belongs to each.
    reading
        The position-weighted mean where None.
    brackets
        Mark questions and documents.
    steps, batch_size, learning_rate, temperature, seed
        Of the tuning.
    """
    marked: Any = {"prompts": DOCUMENT_BRACKETS, "query_prompts": QUERY_BRACKETS} if brackets else {}
    encoder = PromptedEncoder(LabCausal.of(model), reading=reading or StateReading("weighted"), **marked)
    if pairs is None:
        return encoder
    own: Any = {"steps": steps, "batch_size": batch_size, "learning_rate": learning_rate, "temperature": temperature}
    return bias_tuned(encoder, *pairs, seed=seed, **own)


def check(lab: Lab) -> Evidence:
    """Weighted mean, last token, plain mean and weights of chance, tuned alike on questions; and all untuned."""
    found, data = lab.data("pairs", "train"), lab.data("search")
    short = [(a, b) for a, b in zip(found.queries, found.positives, strict=True) if max(len(a), len(b)) <= _LONGEST]
    pairs = [a for a, _ in short], [b for _, b in short]
    documents = {record.id: number for number, record in enumerate(data.documents[:_DOCUMENTS])}
    known = [(key, documents[one]) for key, judged in data.qrels.items() for one in judged if one in documents]
    asked = known[:: max(1, len(known) // _QUESTIONS)][:_QUESTIONS]
    gold = np.array([place for _, place in asked])

    def judge(encoder: Any) -> Sample:
        sentences = encoder.encode([record.text for record in data.documents[:_DOCUMENTS]], role="document")
        questions = encoder.encode([data.queries[key] for key, _ in asked], role="query")
        return known_item(cosines(questions, sentences), gold, groups=gold)

    @cache
    def tuned(run: Run, reading: CausalReading, matched: bool = True) -> Any:
        answers = pairs[1] if matched else list(lab.rng(run, "answers").permutation(pairs[1]))
        return make(lab.model("base", run), (pairs[0], answers), reading=reading, steps=_STEPS, seed=run.seed)

    def weighted(run: Run) -> Any:
        return tuned(run, StateReading("weighted"))

    def mean(run: Run) -> Any:
        return tuned(run, StateReading("mean"))

    def untuned(run: Run) -> Any:
        return make(lab.model("base", run))

    return lab.evidence(
        primary=lab.better(
            weighted, lambda run: tuned(run, StateReading("last")), lambda run: tuned(run, ChanceWeights(run.seed)),
            judge=judge, name="weighted by position over the last token",
        ),
        guards=[
            lab.better(weighted, untuned, partial(tuned, reading=StateReading("weighted"), matched=False), judge=judge),
            lab.not_worse(weighted, mean, judge=judge, name="not worse than the plain mean"),
            lab.reported(mean, judge=judge, name="plain mean, tuned"),
        ],
        immune={"shuffled": "weights by position are not fitted: they beat the last token before any tuning, too"},
    )  # fmt: skip
