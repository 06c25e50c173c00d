"""Text Embeddings by Weakly-Supervised Contrastive Pre-training (Wang et al., 2022).

A first model learns from noisy pairs of texts; a pair is kept where it finds the pair's passage among the best few of
all. From what is left a second model learns, from the same base. The paper's stage on labelled data is left out.
"""

from collections.abc import Sequence
from functools import cache, partial
from typing import Any

import numpy as np

from isogloss.evaluation.neighbours import cosines, known_item
from isogloss.evaluation.sample import Sample
from isogloss.mining.consistency import consistent_pairs
from isogloss.mining.mismatches import mismatched
from isogloss.objectives.in_batch import InBatchSoftmax
from isogloss.recipes._card import Card
from isogloss.recipes._lab import Evidence, Lab, Run
from isogloss.training.several_tasks import Task, fine_tune_tasks
from isogloss.training.trained_encoder import TrainedEncoder

CARD = Card(
    slug="e5", seed=79, title="Text Embeddings by Weakly-Supervised Contrastive Pre-training", year=2022,
    url="https://arxiv.org/abs/2212.03533", family="general-embedders", sort="method",
    claim="Pairs of which three in ten are wrong train a better search model after a consistency filter than whole.",
    regime="Many noisy pairs without labels; as many steps with and without the filter.",
    baseline="the same steps on all pairs", placebo="the same steps after as many pairs were dropped by chance",
    fidelity="same kind", needs={"base": "minilm-3", "pairs": "scitldr"}, margin=0.015, minutes=5, deviations=(
        "1,992 titles with the beginnings of their abstracts, 30 % mismatched on purpose, instead of 1.3 billion pairs",
        "24 steps of 48 pairs without prefixes, the token table at rest; kept among the best 200 of the pairs' own "
        "passages instead of 2 of a million, because the first model is as weak: with 2, seed 999 had -.012", "1,237 "
        "held-out titles over as many beginnings, not BEIR; without a second stage and its teacher"))  # fmt: skip
_LONGEST, _WRONG, _K = 120, 0.3, 200
_TRAINING: Any = {"steps": 24, "batch_size": 48, "learning_rate": 2e-4, "words": False}


def make(base: TrainedEncoder, pairs: Sequence[Sequence[str]], keep: Any = None, *, temperature: float = 0.01,
         seed: int = 0, **training: Any) -> TrainedEncoder:  # fmt: skip
    """Return ``base``, changed in place: a first model of all ``pairs``, or a second one of those in ``keep``.

    ``pairs`` are queries and passages; ``temperature`` is the soft-max's, the others are for ``fine_tune_tasks``.
    """
    chosen = range(len(pairs[0])) if keep is None else np.flatnonzero(keep).tolist()
    columns = [[column[i] for i in chosen] for column in pairs]
    task = Task(columns, InBatchSoftmax(temperature=temperature))
    return fine_tune_tasks(base, {"pairs": task}, seed=seed, **training)


def check(lab: Lab) -> Evidence:
    """Filter, filter nothing, drop as many by chance, drop exactly the wrong ones; and what the filter finds."""
    held = [lab.data("pairs", part) for part in (None, "dev")]
    titles = [title for part in held for title in part.queries]
    passages = [text[:_LONGEST] for part in held for text in part.positives]

    @cache
    def noisy(run: Run) -> tuple[Any, Any]:
        found = lab.data("pairs", "train")
        texts, wrong = mismatched([text[:_LONGEST] for text in found.positives], _WRONG, seed=run.seed)
        return (found.queries, texts), wrong

    def tuned(run: Run, keep: Any = None) -> Any:
        return make(lab.model("base", run).fresh(), noisy(run)[0], keep, seed=run.seed, **_TRAINING)

    every = cache(tuned)

    @cache
    def keeps(run: Run) -> dict[str, Any]:
        kept = consistent_pairs(every(run), *noisy(run)[0], k=_K).keep
        return {"consistent": kept, "chance": lab.rng(run, "dropped").permutation(kept), "right": ~noisy(run)[1]}

    def filtered(run: Run, by: str = "consistent") -> Any:
        return tuned(run, keeps(run)[by])

    def kept(run: Run, by: str = "consistent") -> Any:
        return np.stack([keeps(run)[by], ~noisy(run)[1]], axis=1).astype(float)  # (pairs, 2): kept, right

    def judge(encoder: Any) -> Sample:
        scores = cosines(encoder.encode(titles, role="query"), encoder.encode(passages, role="document"))
        return known_item(scores, np.arange(len(titles)))

    def told(pairs: Any, right: float) -> Sample:
        return Sample.of((pairs[:, 0] == right)[pairs[:, 1] == right].astype(float))

    chance, exactly, drawn = partial(filtered, by="chance"), partial(filtered, by="right"), partial(kept, by="chance")
    return lab.evidence(
        lab.better(filtered, lambda run: every(run), chance, judge=judge, positive=exactly, name="filtered over all"),
        [lab.recovers(kept, drawn, truth=partial(told, right=0.0), at_least=0.7, name="wrong pairs dropped"),
         lab.recovers(kept, drawn, truth=partial(told, right=1.0), at_least=0.8, name="right pairs kept")])  # fmt: skip
