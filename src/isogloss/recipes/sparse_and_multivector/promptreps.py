"""PromptReps: Prompting Large Language Models to Generate Dense and Sparse Representations (Zhuang et al., 2024).

A causal language model is asked for one word by which a text would be found. The state at the prompt's end is the dense
vector; logits of the text's own words, saturated and rounded, are the sparse one; both rankings are fused. Nothing is
trained for vectors or on pairs. The model first learns how the prompt goes on, from titles and key phrases.
"""

from functools import cache
from typing import Any

import numpy as np

from isogloss.arrays import Similarity
from isogloss.corpus.one_word import keyed, titled
from isogloss.encoders.sparse_weights import exchanged, foreign_tokens
from isogloss.evaluation.known_items import known_items
from isogloss.index.score_fusion import fused_scores
from isogloss.recipes._card import Card
from isogloss.recipes._lab import Evidence, Lab, Run
from isogloss.training.causal_models import LabCausal
from isogloss.training.causal_prompts import PLAIN, RETRIEVAL_WORD, Prompt
from isogloss.training.continued import continued, shown
from isogloss.training.next_words import NextWordEncoder, WordChoice
from isogloss.training.untrained import untrained

CARD = Card(
    slug="promptreps",
    seed=227,
    title="PromptReps: Prompting Large Language Models to Generate Dense and Sparse Representations for Zero-Shot "
    "Document Retrieval",
    year=2024,
    url="https://arxiv.org/abs/2404.18424",
    family="sparse-and-multivector",
    sort="method",
    claim="Dense and sparse vectors from one prompt, fused, search better than either of them alone.",
    regime="A causal language model to which the prompt is natural; no training for vectors, no pairs.",
    baseline="the better of the two alone, chosen on the test itself in its favour",
    placebo="the same fusion after the weights of each text's words were exchanged among them by chance",
    fidelity="transposed",
    needs={"base": "tiny-lm", "titles": "wiki-passages", "phrases": "keyphrases-inspec",
           "search": "squad-dev-sentence-retrieval"},
    margin=0.01,
    minutes=4,
    deviations=(
        "a model of two layers that follows no instructions: it learned for 200 steps how a short prompt goes on; its "
        "dense vectors alone find hardly anything",
        "1,200 sentences instead of BEIR; logits beyond their mean: all may be below 0 here; one prompt, no tuning",
    ),
)  # fmt: skip
_STEPS, _RATE, _EACH, _TEXTS, _QUESTIONS = 200, 4e-3, 1600, 1200, 800
_ASKED = Prompt.of('Passage: "{text}". The word is: "')


def make(model: Any, *, prompt: Prompt = RETRIEVAL_WORD, choice: WordChoice | None = None) -> NextWordEncoder:
    """Return the encoder; ``both(texts)`` gives dense and sparse vectors from the same passes.

    Parameters
    ----------
    model
        A causal base model of the Lab; one of transformers goes into ``NextWordEncoder`` itself.
    prompt
        Asks for one word, of documents and questions alike.
    choice
        Which words count; None: the text's own, the best 128, function words left out, logits beyond the mean one.
    """
    return NextWordEncoder(LabCausal.of(model), prompt, choice=choice or WordChoice(centred=True))


def check(lab: Lab) -> Evidence:
    """Rank by both, by the better one, by both with weights exchanged, and by a model that learned nothing."""
    asked = known_items(lab.data("search"), texts=_TEXTS, questions=_QUESTIONS)
    judge, sides = asked.ndcg, {"query": asked.questions, "document": asked.texts}
    material = {"titles": titled(lab.data("titles")), "phrases": keyed(lab.data("phrases"))}

    def base(run: Run) -> Any:
        return lab.model("base", run)

    @cache
    def taught(run: Run) -> Any:
        known = [part[i] for name, part in material.items() for i in lab.rng(run, name).permutation(len(part))[:_EACH]]
        rows = shown(base(run), _ASKED, [text for text, _ in known], [f'{word}"' for _, word in known])
        return continued(base(run), rows, steps=_STEPS, learning_rate=_RATE, seed=run.seed)

    @cache
    def vectors(run: Run, model: Any, prompt: Prompt) -> Any:
        encoder: Any = make(model(run), prompt=prompt)
        return [encoder.both(part, role=role) for role, part in sides.items()]

    def tables(run: Run, model: Any = taught, prompt: Prompt = _ASKED, mixed: bool = False) -> Any:
        dense, sparse = zip(*vectors(run, model, prompt), strict=True)
        words = [exchanged(one, lab.rng(run, "weights")) for one in sparse] if mixed else sparse
        return Similarity.COSINE(*dense), Similarity.DOT(*words)

    def both(run: Run, **settings: Any) -> Any:
        return fused_scores(tables(run, **settings), matched=(False, True))

    def by_chance(run: Run) -> Any:
        return both(run, mixed=True)

    def better_one(run: Run) -> Any:
        return max(tables(run), key=lambda one: judge(one).value())

    def strays(run: Run, own: bool = True) -> float:
        some, choice = asked.texts[:300], WordChoice(own=own, centred=True)
        words = make(taught(run), prompt=_ASKED, choice=choice).encode(some, role="document")
        foreign = foreign_tokens(words, some, base(run).tokenizer)
        return float(foreign + np.maximum(np.diff(words.offsets) - 128, 0).sum())

    return lab.evidence(
        primary=lab.better(both, better_one, by_chance, judge=judge, name="both over the better one"),
        guards=[
            lab.exact(strays, invariant=float, within=0.0, broken=lambda run: strays(run, own=False),
                      name="at most 128 words, all of them the text's own"),
            lab.better(both, lambda run: both(run, model=lambda run: untrained(base(run), seed=run.seed)), by_chance,
                       judge=judge, margin=0.05, name="over a model that learned nothing"),
            lab.reported(lambda run: tables(run)[0], judge=judge, name="dense alone"),
            lab.reported(lambda run: tables(run)[1], judge=judge, name="sparse alone"),
            lab.reported(lambda run: tables(run, prompt=PLAIN)[1], judge=judge, name="sparse, without the prompt"),
        ],
    )  # fmt: skip
