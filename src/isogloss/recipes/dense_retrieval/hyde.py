"""Precise Zero-Shot Dense Retrieval without Relevance Labels (Gao, Ma, Lin, Callan, 2022).

A question is searched by the mean of its own vector and those of documents that a language model invents for it, with
an encoder that learned from documents alone: documents are compared with documents, nothing is trained for the task. No
large model is at hand here: other people's answers stand in for what one would write; a small one is reported beside.
"""

from functools import cache, partial
from typing import Any

import numpy as np

from isogloss.encoders.hypothetical import DocumentsAtHand, HypotheticalDocumentEncoder, Writer
from isogloss.evaluation.neighbours import cosines, known_item
from isogloss.evaluation.sample import Sample
from isogloss.generation.hypothetical_documents import ModelWriter
from isogloss.mining.stand_ins import answering_sentences, other_answers, same_subject
from isogloss.recipes._card import Card
from isogloss.recipes._lab import Evidence, Lab, Run
from isogloss.training.causal_prompts import PLAIN
from isogloss.training.continued import continued, shown
from isogloss.training.document_static import static_from_documents

CARD = Card(
    slug="hyde",
    seed=175,
    title="Precise Zero-Shot Dense Retrieval without Relevance Labels",
    year=2022,
    url="https://arxiv.org/abs/2212.10496",
    family="dense-retrieval", sort="method",
    claim="With an encoder of documents, a question joined with an answer from elsewhere finds more than alone.",
    regime="No labels, an encoder trained on pairs of documents, a writer that can answer.",
    baseline="the question's own vector",
    placebo="a text with the question's words that does not answer it",
    fidelity="transposed",
    needs={"answers": "trecqa", "documents": "wiki-passages", "strong": "minilm", "writer": "tiny-lm",
           "subjects": "squad-newwiki-retrieval"},
    margin=0.01, minutes=6,
    deviations=(
        "no large model: right answers of other documents, in other words and not searched, stand in for its texts",
        "sentences of a SQuAD article's other passages, the first stand-in, are reported: they answer something else",
        "one text in the claim, because eight wrong ones leave no live placebo; eight, as in the paper, in a guard",
        "a static encoder of 256 dimensions, trained for seconds on stretches of Wikipedia, instead of Contriever",
        "140 questions over 2,000 sentences; the model that writes has 0.7 million weights, and writes 16 tokens",
    ),
)  # fmt: skip
_SEARCHED, _ASKED, _N = 2000, 400, 8


def make(encoder: Any, writer: Writer, *, n: int = 8, include_query: bool = True) -> HypotheticalDocumentEncoder:
    """Return an encoder that searches by documents written for a query.

    Parameters
    ----------
    encoder, writer, n, include_query
        Of documents; writes ``n`` of them, such as ``isogloss.generation.hypothetical_documents.chat_writer``; whether
        the question's own vector is part of the mean.
    """
    return HypotheticalDocumentEncoder(encoder, writer, count=n, include_query=include_query)


def check(lab: Lab) -> Evidence:
    """Answers of other people beside the question, candidates that answer nothing, and what a weak model writes."""
    strong, passages = lab.model("strong"), lab.data("subjects")
    world = other_answers([lab.data("answers", part) for part in ("train", "dev", "test")], searched=_SEARCHED)
    subject, taught = same_subject(passages, _N, asked=_ASKED), [*map(" ".join, answering_sentences(passages))]
    read = cache(lambda: strong.encode(world.texts, role="document"))
    own = cache(lambda run: static_from_documents(lab.texts("documents"), seed=run.seed))

    @cache
    def drawn(run: Run, what: str) -> DocumentsAtHand:
        """Texts of other people for each question, drawn as a model draws; or what the weak model writes."""
        rng, kinds = lab.rng(run, "texts"), {"wrong": world.wrong, "right": [[world.texts[i]] for i in world.gold]}
        some = [[one[i] for i in rng.integers(len(one), size=_N)] for one in kinds.get(what, world.written)]
        if what == "weak":
            model = continued(base := lab.model("writer", run), shown(base, PLAIN, taught), steps=40, seed=run.seed)
            some = ModelWriter(model, what, "{question} ", longest=16, seed=run.seed)(world.questions, 1)
        some = some[1:] + some[:1] if what == "others" else some
        return DocumentsAtHand(dict(zip(world.questions, some, strict=True)))

    def alone(run: Run) -> Any:
        return {"own": own(run), "strong": strong}

    def joined(run: Run, what: str = "written", n: int = 1, query: bool = True) -> Any:
        return {name: make(one, drawn(run, what), n=n, include_query=query) for name, one in alone(run).items()}

    def given(run: Run, texts: Any, n: int = _N) -> Any:
        return {"own": make(own(run), DocumentsAtHand(dict(texts)), n=n)}

    def repeated(run: Run) -> Any:
        return given(run, ((one, some[:1] * _N) for one, some in drawn(run, "written").documents.items()))

    def on_subject(run: Run, n: int) -> Any:
        return given(run, zip(subject.questions, subject.written, strict=True), n)

    def found(made: Any, name: str = "own", where: Any = world) -> Sample:
        rows = read() if name == "strong" else made[name].encode(where.texts, role="document")
        asked = made[name].encode(where.questions, role="query")
        return known_item(cosines(asked, rows), where.gold, groups=where.gold)

    def off_the_mean(made: Any) -> float:
        one, asked = made["own"], world.questions[:20]
        means = [one.encoder.encode([q, *one.documents([q])[0]]).astype(np.float64).mean(0) for q in asked]
        return float(np.abs(one.encode(asked, role="query") - np.stack(means)).max())

    eight, weak, squad = partial(joined, n=_N), partial(joined, what="weak"), partial(found, where=subject)
    wrong, right, others = (partial(joined, what=what) for what in ("wrong", "right", "others"))
    return lab.evidence(
        lab.better(joined, alone, wrong, judge=found, positive=right, name="with an answer over the question alone"),
        [lab.interaction(joined, alone, here=found, there=partial(found, name="strong"), name="less with MiniLM"),
         lab.better(eight, joined, repeated, judge=found, margin=0.005, name="eight texts over one"),
         lab.exact(eight, invariant=off_the_mean, within=1e-6, name="the plain mean"),
         lab.reported(weak, judge=found, name="with a weak model's text"),
         lab.reported(partial(weak, query=False), judge=found, name="a weak model's text without the question"),
         lab.reported(others, judge=found, name="with an answer to another question"),
         lab.reported(alone, judge=squad, name="SQuAD, question alone"),
         lab.reported(partial(on_subject, n=1), judge=squad, name="SQuAD, with a sentence of another passage"),
         lab.reported(partial(on_subject, n=_N), judge=squad, name="SQuAD, with eight of them")],
        immune={"shuffled": "the answer that is written is not fitted; a bag of words learns from mixed-up words, too"},
    )  # fmt: skip
