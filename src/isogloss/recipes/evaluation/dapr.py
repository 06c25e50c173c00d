"""DAPR: A Benchmark on Document-Aware Passage Retrieval (Wang et al., 2023).

The right passage of a long document often does not name what the document is about. Passages are ranked by themselves,
with context in front, and fused with a lexical ranking of whole documents; passages and documents are judged apart.
Here articles are documents; for the hard set a pronoun replaces the article's name in all paragraphs but the first.
"""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from isogloss.evaluation.neighbours import known_item
from isogloss.evaluation.passages import best_of_groups, scaled
from isogloss.evaluation.sample import Sample
from isogloss.evaluation.tasks.encode import Encoding
from isogloss.index.inverted import Inverted
from isogloss.recipes._card import Card
from isogloss.recipes._lab import Evidence, Lab, Run
from isogloss.text.mentions import replace_mentions

CARD = Card(
    slug="dapr",
    seed=157,
    title="DAPR: A Benchmark on Document-Aware Passage Retrieval",
    year=2023,
    url="https://arxiv.org/abs/2305.13915",
    family="evaluation",
    sort="resource",
    claim="Fusing a lexical ranking of documents improves retrieving documents by a margin more than passages.",
    regime="Long documents whose passages do not name their subject; dense passages.",
    baseline="the dense ranking of passages alone",
    placebo="the same fusion with the documents' lexical scores permuted",
    fidelity="same kind",
    needs={"base": "minilm", "words": "words", "passages": "squad-newwiki-retrieval"},
    margin=0.02,
    minutes=10,
    deviations=("24 Wikipedia articles with 814 paragraphs", "the hard set is made by replacing names, not annotated"),
)


def make(encoder: Encoding, words: Any, *, context: Literal["none", "title"] = "none", lexical: float = 0.0) -> Any:
    """Return a function from questions, passages, titles and document numbers to scores ``(questions, passages)``.

    Parameters
    ----------
    encoder, words
        A dense encoder that remembers what it encoded, and one of words, for the ranking of documents.
    context, lexical
        What stands in front of a passage; weight of the document's scaled BM25 score (convex: 0 to 1).

    Examples
    --------
    With models on the machine::

        make(Encoding(load_encoder("minilm")), load_encoder("words"), context="title", lexical=0.5)
    """

    def rank(asked: Sequence[str], passages: Sequence[str], titles: Sequence[str], owner: Any) -> Any:
        shown = [f"{title}. {text}" for title, text in zip(titles, passages, strict=True)]
        texts = list(passages) if context == "none" else shown
        dense = encoder.encoder.similarity(encoder.of(asked, "query"), encoder.of(texts, "document"))
        if not lexical:
            return dense
        whole = [" ".join(np.array(passages)[owner == number]) for number in range(owner.max() + 1)]
        index = Inverted()
        index.add(np.arange(len(whole)), words.encode(whole, role="document"))
        queries = words.encode(asked, role="query")
        scores = np.stack([index.score_all(queries.take(np.array([i])))[1] for i in range(len(asked))])
        return (1 - lexical) * scaled(dense) + lexical * scaled(scores)[:, owner]

    return rank


def check(lab: Lab) -> Evidence:
    """Rank paragraphs that lost their article's name: alone, with titles, fused with a ranking of articles."""
    encoder, words, collection = Encoding(lab.model("base")), lab.model("words"), lab.data("passages")
    titles = [record.title for record in collection.documents]
    articles = list(dict.fromkeys(titles))
    owner = np.array([articles.index(title) for title in titles])
    full = [record.text for record in collection.documents]
    hard = [t if i == titles.index(n) else replace_mentions(t, n) for i, (t, n) in enumerate(zip(full, titles))]  # noqa: B905
    place = {record.id: number for number, record in enumerate(collection.documents)}
    gold = {query: place[next(iter(judged))] for query, judged in collection.qrels.items()}
    named = [query for query, number in gold.items() if hard[number] != full[number]]
    chosen = [named[i] for i in lab.rng(lab.runs(1)[0], "questions").permutation(len(named))[:600]]
    asked, right = [collection.queries[query] for query in chosen], np.array([gold[query] for query in chosen])

    def passages(scores: Any) -> Sample:
        return known_item(scores, right, groups=owner[right])

    def documents(scores: Any) -> Sample:
        return known_item(best_of_groups(scores, owner, len(articles)), owner[right], groups=owner[right])

    def alone(run: Run) -> Any:
        return make(encoder, words)(asked, hard, titles, owner)

    def fused(run: Run) -> Any:
        return make(encoder, words, lexical=0.5)(asked, hard, titles, owner)

    def fused_by_chance(run: Run) -> Any:
        names = lab.rng(run, "documents").permutation(len(articles))
        lexical = best_of_groups(2 * fused(run) - scaled(alone(run)), owner, len(articles))  # the documents' half
        return (scaled(alone(run)) + lexical[:, names][:, owner]) / 2

    def titled(run: Run) -> Any:
        return make(encoder, words, context="title")(asked, hard, titles, owner)

    def titled_by_chance(run: Run) -> Any:
        names = lab.rng(run, "titles").permutation(len(articles))
        return make(encoder, words, context="title")(asked, hard, [articles[names[i]] for i in owner], owner)

    return lab.evidence(
        primary=lab.interaction(fused, alone, here=documents, there=passages, placebo=fused_by_chance, name="fusion"),
        guards=[
            lab.better(titled, alone, titled_by_chance, judge=passages, name="the title in front finds the passage"),
            lab.reported(lambda run: make(encoder, words)(asked, full, titles, owner), judge=passages, name="named"),
        ],
        immune={"shuffled": "nothing is fitted"},
    )  # fmt: skip
