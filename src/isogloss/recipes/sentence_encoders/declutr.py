"""DeCLUTR: Deep Contrastive Learning for Unsupervised Textual Representations (Giorgi, Nitski, Wang, Bader, 2020).

Anchors are drawn from documents, and around each of them spans that overlap with it, lie in it or touch it. It is told
from all others of the batch by the mean vector of its spans, and words hidden in it are filled in.
"""

from collections.abc import Sequence
from functools import cache, partial
from typing import Any

from isogloss.corpus.anchor_spans import anchor_spans
from isogloss.evaluation.neighbours import cosines
from isogloss.evaluation.same_class import same_class_precision
from isogloss.evaluation.sample import Sample
from isogloss.nn.dropout_share import set_dropout
from isogloss.objectives.both_ways import nt_xent
from isogloss.objectives.composition import Composed
from isogloss.recipes._card import Card
from isogloss.recipes._lab import Evidence, Lab, Run
from isogloss.training.autoencoding import filled_in
from isogloss.training.masked_anchors import contrasted
from isogloss.training.masked_model import MaskedModel
from isogloss.transforms.whitening import Whitening

CARD = Card(
    slug="declutr", seed=16, year=2020, url="https://arxiv.org/abs/2006.03659", family="sentence-encoders",
    title="DeCLUTR: Deep Contrastive Learning for Unsupervised Textual Representations", sort="method",
    claim="Spans that lie near each other in plain documents teach a masked language model to rank pairs of sentences "
    "better than masked words alone do.",
    regime="A masked language model that is poor at sentences; long unlabelled documents.",
    baseline="masked language modelling on the same anchors",
    placebo="the same training with the spans of other anchors", fidelity="same kind", margin=0.04, minutes=5,
    needs={"base": "minilm-3", "documents": "brown", "sts": "sts-b"},
    deviations=("three layers, a token table at rest, 24 batches of 32 anchors of 400 documents, not 500,000 web pages",
                "dropout 0.1 and a rate of 5e-4, because with none and at 3e-4 hardly anything was learned (seed 999)",
                "spans of 6 to 32 words instead of 512 tokens, those of a document in any batch; STS-B, not SentEval"),
)  # fmt: skip
_HOW: Any = {"steps": 24, "batch_size": 32, "learning_rate": 5e-4, "table": False}
_SPANS: Any = {"shortest": 6, "longest": 32}


def make(base: MaskedModel, columns: Sequence[Sequence[str]], *, temperature: float = 0.05, mlm_weight: float = 1.0,
         seed: int = 0, **training: Any) -> MaskedModel:  # fmt: skip
    """Return a sentence encoder, trained on spans of documents.

    Parameters
    ----------
    base, columns
        A masked language model with its head, changed in place; anchors and positives, as of ``anchor_spans``.
    temperature, mlm_weight, seed, training
        Of the soft-max; of the masked words; of ``contrasted``, with its ``steps``, ``batch_size``, ``learning_rate``.
    """
    spans = Composed(inner=nt_xent(temperature), parts=(1, len(columns) - 1))
    return contrasted(base, columns, spans, weight=mlm_weight, seed=seed, **training)


def check(lab: Lab) -> Evidence:
    """Near spans, masked words alone, spans of other anchors, nothing; by STS-B and by spans of one document."""
    texts, sts = lab.texts("documents"), lab.judge("sts")
    held = anchor_spans(texts[:50], 200, anchors=1, positives=1, **_SPANS)

    @cache
    def trained(run: Run, kind: str = "near") -> Any:
        drawn = [texts[i] for i in 50 + lab.rng(run, "documents").permutation(len(texts) - 50)[:400]]
        spans = anchor_spans(drawn, _HOW["steps"] * 16, seed=run.seed, **_SPANS).columns
        base = lab.model("base", run).fresh()
        set_dropout(base.model, 0.1)
        if kind == "masked":
            return filled_in(base, spans[0], longest=128, seed=run.seed, **_HOW)
        order = range(len(spans[0])) if kind == "near" else lab.rng(run, "others").permutation(len(spans[0]))
        return make(base, [spans[0], *([one[i] for i in order] for one in spans[1:])], seed=run.seed, **_HOW)

    def whitened(run: Run) -> Any:
        base = lab.model("base", run)
        return base.then(Whitening().fit(base.encode(lab.texts("sts", 1000, run))))

    def together(encoder: Any) -> Sample:
        vectors = encoder.encode(held.columns[1])
        return same_class_precision(cosines(vectors, vectors), held.documents)

    masked, others = partial(trained, kind="masked"), partial(trained, kind="others")
    untrained = partial(lab.model, "base")
    return lab.evidence(
        primary=lab.better(trained, masked, others, judge=sts, name="near spans over masked words"),
        guards=[lab.better(trained, untrained, others, judge=sts, name="near spans over nothing learned"),
                lab.better(trained, masked, untrained, judge=together, margin=0.05, name="spans of a document"),
                lab.reported(whitened, judge=sts, name="whitened, nothing learned")],
        immune={"shuffled": "spans that overlap share their words, in whatever order"},
    )  # fmt: skip
