"""How Does Generative Retrieval Scale to Millions of Passages? (Pradeep et al., 2023).

A sequence-to-sequence model is the index: it reads a question and writes the name of the passage that answers it. It
learns from (text, name) pairs, where the text is the beginning of the passage or a synthetic query about it; names are
one token of their own a passage, or paths through clusters; a beam search writes valid names only. Of all ingredients
the synthetic queries are what counts. Here the encoder is frozen and one decoder layer learns.
"""

from collections.abc import Sequence
from functools import cache, partial
from typing import Any

from isogloss.corpus.judgements import RankedRun
from isogloss.evaluation.sample import Sample
from isogloss.generation.generative_search import GenerativeSearcher
from isogloss.mining.questions.make import make_questions
from isogloss.mining.stretches import like_stretches
from isogloss.protocols import Record
from isogloss.recipes._card import Card
from isogloss.recipes._lab import Evidence, Lab, Run
from isogloss.seeding import generator
from isogloss.training.document_names import NamingTexts
from isogloss.training.models import keep_layers, load_trainable
from isogloss.transforms.document_ids import atomic_ids, hierarchical_ids

CARD = Card(
    slug="generative-retrieval-scale",
    seed=214,
    title="How Does Generative Retrieval Scale to Millions of Passages?",
    year=2023,
    url="https://arxiv.org/abs/2305.11841",
    family="dense-retrieval",
    sort="method",
    claim="A generative retriever finds more where it learns from synthetic queries beside passages.",
    regime="A model that writes names of passages; the more passages, the more it needs the queries.",
    baseline="the same model and steps, learning from the first 48 tokens of each passage only",
    placebo="as many further inputs, each as long as a synthetic query, cut at random from the passage's first words",
    fidelity="transposed",
    needs={"base": "minilm", "corpus": "squad-newwiki-retrieval"},
    margin=0.01,
    minutes=3,
    deviations=(
        "50 to 200 passages of Wikipedia instead of 100,000 to 8.8 million",
        "the first three layers of MiniLM, frozen, read; one decoder layer learns in 100 steps of 48",
        "synthetic queries are sentences, key phrases and definitions of the passage, about four, not docT5query's",
        "the same 200 questions, answered by the first 50 passages, are asked at every size",
    ),
)
_STEPS, _SIZES, _QUESTIONS, _KINDS = 100, (50, 100, 200), 200, ("sentence", "keyphrase", "definition")
_Inputs = tuple[tuple[str, int], ...]


def make(
    texts: NamingTexts, documents: Sequence[Record], queries: _Inputs = (), *, ids: str = "atomic",
    steps: int = _STEPS, seed: int = 0, **more: Any,
) -> GenerativeSearcher:  # fmt: skip
    """Return a trained searcher.

    Parameters
    ----------
    texts, documents, queries
        What has read all texts, the passages, and synthetic queries with the number of their passage.
    ids
        ``atomic``: one token a passage; ``semantic``: paths through clusters of ten.
    steps, seed, more
        Of the training; settings of the searcher.
    """
    passages = [document.text for document in documents]
    names = atomic_ids(len(passages)) if ids == "atomic" else hierarchical_ids(texts.vectors(passages), leaf=10)
    owned = [names[i] for i in (*range(len(passages)), *(number for _, number in queries))]
    inputs, rate = [*passages, *(text for text, _ in queries)], 2e-3
    model = texts.learn(inputs, owned, steps=steps, seed=seed, batch_size=48, learning_rate=rate)
    return GenerativeSearcher(model, texts.read, documents, names, **more)


def check(lab: Lab) -> Evidence:
    """Synthetic queries against passages only, growing corpora, valid names."""
    data = lab.data("corpus")
    order = generator(0, "passages").permutation(len(data.documents))[: _SIZES[-1]]
    documents = [data.documents[i] for i in order]
    numbers = {document.id: number for number, document in enumerate(documents)}
    asked = {
        query: min(numbers[one] for one in judged if one in numbers)
        for query, judged in data.qrels.items() if any(numbers.get(one, _SIZES[0]) < _SIZES[0] for one in judged)
    }  # fmt: skip
    asked = dict(list(asked.items())[:_QUESTIONS])
    made = make_questions(documents, count=4 * len(documents), kinds=_KINDS, weighted=False).questions
    queries = tuple((question.text, numbers[question.document]) for question in made)
    stretches = tuple(like_stretches(queries, [document.text for document in documents], words=34, seed=0))
    every = [*(document.text for document in documents), *(text for text, _ in (*queries, *stretches))]
    texts = NamingTexts(keep_layers(load_trainable(lab.name("base")), range(3)), every, longest=48)

    @cache
    def trained(seed: int, size: int, inputs: _Inputs, ids: str) -> GenerativeSearcher:
        return make(texts, documents[:size], tuple(one for one in inputs if one[1] < size), ids=ids, seed=seed)

    def found(run: Run, inputs: _Inputs = queries, ids: str = "atomic") -> RankedRun:
        searcher = trained(run.seed, int(run.size or _SIZES[-1]), inputs, ids)
        rows = zip(asked, searcher.search([data.queries[query] for query in asked]), strict=True)
        return RankedRun.from_scores({query: {hit.document: hit.score for hit in one.hits} for query, one in rows})

    def first(run: RankedRun) -> Sample:
        right = [row[0] in data.qrels[query] for query, row in zip(run.queries, run.documents, strict=True)]
        return Sample.of(list(map(float, right)), groups=list(asked.values()), name="hits@1")

    def invalid(run: Run, constrained: bool = True) -> float:
        made = trained(run.seed, _SIZES[-1], queries, "semantic")
        free = GenerativeSearcher(made.model, texts.read, documents, made.trie.sequences, constrained=constrained)
        return float(sum(one.invalid for one in free.search([data.queries[query] for query in asked][:100]))) / 100

    return lab.evidence(
        lab.better(found, partial(found, inputs=()), partial(found, inputs=stretches), judge=first,
                   name="synthetic queries beside passages over passages only"),
        [lab.trend(found, _SIZES, judge=first, direction="falling", name="hits@1 along 50, 100, 200 passages"),
         lab.exact(invalid, invariant=float, within=0.0, broken=partial(invalid, constrained=False),
                   name="constrained decoding writes valid names only"),
         lab.reported(partial(found, ids="semantic"), judge=first, name="paths through clusters as names")],
        immune={"shuffled": "what is indexed is what is searched: there are no other data to fit on"},
    )  # fmt: skip
