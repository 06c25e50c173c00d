"""Document Ranking with a Pretrained Sequence-to-Sequence Model (Nogueira et al., 2020).

Ranking as writing: the model reads "Query: q Document: d Relevant:" and learns to write "true" or "false"; the logits
of these two words at the first step order the documents. Where examples are few it beats a classifier over the encoder,
which the paper lays to the words' known meaning. Here the encoder is frozen and reads every prompt once.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from isogloss.evaluation.sample import Sample
from isogloss.mining.word_candidates import best_by_words, wrong_answers
from isogloss.recipes._card import Card
from isogloss.recipes._lab import Evidence, Lab, Run
from isogloss.rerank.relevance_token import RelevanceTokenReranker, relevance_prompt, word_number
from isogloss.seeding import generator
from isogloss.training.models import load_trainable
from isogloss.training.relevance import ReadPrompts
from isogloss.training.text_to_text import TextToText

CARD = Card(
    slug="monot5",
    seed=143,
    title="Document Ranking with a Pretrained Sequence-to-Sequence Model",
    year=2020,
    url="https://arxiv.org/abs/2003.06713",
    family="reranking",
    sort="method",
    claim="With few examples, ranking by the logits of two written words beats a classifier over the same encoder.",
    regime="Reranking of BM25 candidates by a pre-trained encoder-decoder with some hundred labelled pairs.",
    baseline="a classification layer on the state of the encoder's first token, the same pairs and steps",
    placebo="the words the wrong way round: false for relevant, true for irrelevant",
    fidelity="transposed",
    needs={"base": "minilm", "train": "squad-sentence-pairs", "candidates": "squad-dev-sentence-retrieval"},
    margin=0.01,
    minutes=8,
    deviations=(
        "MiniLM with a new decoder of one layer instead of T5: only its tied word table was pre-trained",
        "the encoder is frozen in all arms, so the classifier is one layer over its first state, at ten times the rate",
        "200 questions with one right sentence and one of BM25's first 30; sentences instead of passages",
        "BM25's first 10 instead of 1,000 for 240 questions of other articles, by reciprocal rank, ties at their worst",
    ),
)
_STEPS, _QUESTIONS, _ASKED, _DEPTH, _WORDS = 80, 200, 240, 10, ("true", "false")
_PROMPT: dict[str, Any] = {"longest": 72, "longest_query": 20}


def make(
    base: TextToText, read: ReadPrompts, rows: Sequence[int], labels: Any, *, words: tuple[str, str] = _WORDS,
    steps: int = _STEPS, seed: int = 0, **more: Any,
) -> RelevanceTokenReranker:  # fmt: skip
    """Return a reranker that has learned from prompts.

    Parameters
    ----------
    base, read
        An encoder-decoder with its tokenizer; prompts that its encoder has read.
    rows, labels, words
        Which of the prompts to learn from, 1 where the document is relevant, the words for relevant and irrelevant.
    steps, seed, more
        Of the training; settings of the reranker.
    """
    true, false = (word_number(base.pieces, word) for word in words)
    model = read.learn_words(rows, labels, words=(true, false), steps=steps, seed=seed)
    return RelevanceTokenReranker(model, base.pieces, words=words, **more)


def check(lab: Lab) -> Evidence:
    """Two words against a classifier, and against the words the wrong way round."""
    base, draw = TextToText.over(load_trainable(lab.name("base"))), generator(0, "monot5")
    pairs, data = lab.data("train", "train"), lab.data("candidates")
    taken = draw.permutation(len(pairs.queries))[: 3 * _QUESTIONS // 2]
    asked = [list(data.qrels)[i] for i in draw.permutation(len(data.qrels))[:_ASKED]]
    queries, positives = ([column[i] for i in taken] for column in (pairs.queries, pairs.positives))
    wrong = wrong_answers(queries, positives, pairs.positives)
    texts = [text for pair in zip(positives, wrong, strict=True) for text in pair]
    found = best_by_words([data.queries[one] for one in asked], [one.text for one in data.documents], _DEPTH)
    judged = [(number, data.documents[row]) for number, rows in enumerate(found) for row in rows]
    read = ReadPrompts(base.model, relevance_prompt(base.pieces, **_PROMPT)(
        query=[query for query in queries for _ in range(2)] + [data.queries[asked[number]] for number, _ in judged],
        document=[*texts, *(document.text for _, document in judged)],
    ))  # fmt: skip
    owners = np.array([number for number, _ in judged])
    right = np.array([data.qrels[asked[number]].get(document.id, 0) > 0 for number, document in judged])
    asking = range(len(texts), len(texts) + len(judged))

    def examples(run: Run, shuffled: bool = False) -> tuple[list[int], Any]:
        rng = lab.rng(run, "pairs")
        rows = (2 * rng.permutation(len(taken))[:_QUESTIONS, None] + np.arange(2)).ravel()
        return rows.tolist(), rng.permutation(1 - rows % 2) if shuffled else 1 - rows % 2

    def written(run: Run, words: tuple[str, str] = _WORDS, shuffled: bool = False) -> Any:
        made = make(base, read, *examples(run, shuffled), words=words, seed=run.seed, **_PROMPT)
        return read.word_scores(made.model, asking, words=(made.true, made.false))

    def classified(run: Run) -> Any:
        head = read.learn_head(*examples(run), steps=_STEPS, seed=run.seed, learning_rate=1e-2)
        return read.head_scores(head, asking)

    def by_words(run: Run) -> Any:
        return -np.concatenate([np.arange(len(rows), dtype=np.float32) for rows in found])

    def reciprocal(scores: Any) -> Sample:
        mine = [(scores[owners == number], right[owners == number]) for number in range(len(asked))]
        values = [1 / float((one >= one[good].max()).sum()) if good.any() else 0.0 for one, good in mine]
        return Sample.of(values, name="mrr@10")

    reverse = partial(written, words=_WORDS[::-1])
    return lab.evidence(
        lab.better(written, classified, reverse, judge=reciprocal, name="two words over a classifier"),
        [lab.reported(partial(written, shuffled=True), judge=reciprocal, name="shuffled labels of relevance"),
         lab.reported(by_words, judge=reciprocal, name="BM25's order")],
        immune={"shuffled": "texts and pairs are one: the labels of the pairs are shuffled in an arm of their own"},
    )  # fmt: skip
