"""DeCLUTR: Deep Contrastive Learning for Unsupervised Textual Representations (Giorgi, Nitski, Wang, Bader, 2020).

Long anchors are drawn from documents, and around each of them short spans that overlap with it, lie in it or touch it.
An anchor's vector is told from all others of the batch by the mean vector of its spans, those of the same document
among them; beside it the encoder goes on with masked words, hidden in the anchors. Words are counted, not tokens.
"""

from collections.abc import Sequence
from functools import cache, partial
from typing import Any

from isogloss.corpus.anchor_spans import anchor_spans
from isogloss.evaluation.neighbours import cosines
from isogloss.evaluation.same_class import same_class_precision
from isogloss.evaluation.sample import Sample
from isogloss.objectives.both_ways import nt_xent
from isogloss.objectives.composition import Composed
from isogloss.recipes._card import Card
from isogloss.recipes._lab import Evidence, Lab, Run
from isogloss.training.autoencoding import filled_in
from isogloss.training.masked_anchors import contrasted
from isogloss.training.masked_model import MaskedModel
from isogloss.transforms.whitening import Whitening

CARD = Card(
    slug="declutr",
    seed=16,
    title="DeCLUTR: Deep Contrastive Learning for Unsupervised Textual Representations",
    year=2020,
    url="https://arxiv.org/abs/2006.03659",
    family="sentence-encoders",
    sort="method",
    claim="Spans that lie near each other in plain documents teach a masked language model to rank pairs of sentences "
    "better than masked words alone do.",
    regime="A masked language model that is poor at sentences; long unlabelled documents.",
    baseline="masked language modelling on the same anchors",
    placebo="the same training with the spans of other anchors",
    fidelity="same kind",
    needs={"base": "minilm-3", "documents": "brown", "sts": "sts-b"},
    margin=0.04,
    minutes=6,
    deviations=(
        "three layers, a token table at rest, 400 documents of 2,000 words and 16 batches of 32 anchors instead of "
        "RoBERTa and 500,000 web pages",
        "anchors and spans of 6 to 32 words instead of 32 to 512 tokens",
        "STS-B and spans of one document instead of SentEval",
    ),
)
_HOW: Any = {"steps": 16, "batch_size": 32, "learning_rate": 3e-4, "table": False}
_SHORT, _LONG, _HELD_OUT = 6, 32, 50


def make(
    base: MaskedModel, columns: Sequence[Sequence[str]], *, temperature: float = 0.05, mlm_weight: float = 1.0,
    seed: int = 0, **training: Any,
) -> MaskedModel:  # fmt: skip
    """Return a sentence encoder, trained on spans of documents.

    Parameters
    ----------
    base
        A masked language model with its head; it is changed in place.
    columns
        Anchors, and their positives, as ``anchor_spans(...).columns`` gives them.
    temperature, mlm_weight
        Of the soft-max over the batch; weight of the masked words.
    seed, training
        Seed, and settings of ``contrasted``: ``steps``, ``batch_size``, ``learning_rate``, ``table``.
    """
    spans = Composed(inner=nt_xent(temperature), parts=(1, len(columns) - 1))
    return contrasted(base, columns, spans, weight=mlm_weight, seed=seed, **training)


def check(lab: Lab) -> Evidence:
    """Near spans, masked words alone, spans of other anchors, nothing; by STS-B and by spans of one document."""
    texts = lab.texts("documents")
    held = anchor_spans(texts[:_HELD_OUT], 4 * _HELD_OUT, anchors=1, positives=1, shortest=_SHORT, longest=_LONG)

    @cache
    def trained(run: Run, kind: str = "near") -> Any:
        drawn = [str(one) for one in lab.rng(run, "documents").permutation(texts[_HELD_OUT:])[:400]]
        spans = anchor_spans(drawn, _HOW["steps"] * 16, shortest=_SHORT, longest=_LONG, seed=run.seed).columns
        base = lab.model("base", run).fresh()
        if kind == "masked":
            return filled_in(base, spans[0], longest=128, seed=run.seed, **_HOW)
        others = lab.rng(run, "others").permutation(len(spans[0]))
        columns = spans if kind == "near" else [spans[0], *([one[i] for i in others] for one in spans[1:])]
        return make(base, columns, seed=run.seed, **_HOW)

    def untrained(run: Run) -> Any:
        return lab.model("base", run)

    def whitened(run: Run) -> Any:
        base = lab.model("base", run)
        return base.then(Whitening().fit(base.encode(lab.texts("sts", 1000, run))))

    def of_one_document(encoder: Any) -> Sample:
        vectors = encoder.encode(held.columns[1])
        return same_class_precision(cosines(vectors, vectors), held.documents)

    masked, others, sts = partial(trained, kind="masked"), partial(trained, kind="others"), lab.judge("sts")
    return lab.evidence(
        primary=lab.better(trained, masked, others, judge=sts, name="near spans over masked words"),
        guards=[
            lab.better(trained, untrained, others, judge=sts, name="near spans over nothing learned"),
            lab.better(
                trained, masked, untrained, judge=of_one_document, margin=0.05, name="a document's spans stand together"
            ),
            lab.reported(whitened, judge=sts, name="whitened, nothing learned"),
        ],
        immune={"shuffled": "spans that overlap share their words, in whatever order"},
    )  # fmt: skip
