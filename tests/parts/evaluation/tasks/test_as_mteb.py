"""Tasks give MTEB's scores: our own run beside ``mteb.evaluate`` on the same texts with the same encoder."""

from __future__ import annotations

import gzip
from typing import ClassVar

import numpy as np
import pytest

from isogloss.corpus.examples import Candidates, LabelledPairs, ParallelTexts, ScoredPairs, Summaries
from isogloss.corpus.test_collections.beir import read_beir
from isogloss.encoders.lexical import WordEncoder
from isogloss.encoders.names import load_encoder
from isogloss.errors import UsageError
from isogloss.evaluation.mteb_adapter import MtebEncoder, MtebSearcher, as_mteb
from isogloss.evaluation.tasks import (
    bitext,
    candidate_ranking,
    pair_classification,
    reranking,
    retrieval,
    sts,
    summarisation,
)

pytestmark = pytest.mark.filterwarnings("ignore")

EXACT = 1e-9
SINGLE = 3e-6
"""mteb subtracts and squares in float32 where it does not ask the model itself."""


@pytest.fixture(autouse=True)
def needs_mteb():
    pytest.importorskip("mteb")


@pytest.fixture(scope="module")
def static():
    return load_encoder("static")


def same(ours, theirs, tolerance=SINGLE):
    for name, value in ours.items():
        assert theirs[name] == pytest.approx(value, abs=tolerance), name
    assert ours


def test_sts(static, rows, local_mteb):
    found = rows("sts-b", "test.jsonl", 400)
    left, right, scores = ([row[key] for row in found] for key in ("a", "b", "score"))
    ours = sts.run(static, ScoredPairs(left, right, np.array(scores), np.arange(len(left))), name="sts-b")
    theirs = local_mteb.evaluate(as_mteb(static), local_mteb.sts("LocalSTS", left, right, scores))
    assert len(ours.samples) == 8
    same(ours.scores(), theirs)
    same({name: ours.scores()[name] for name in ("pearson", "spearman")}, theirs, EXACT)
    assert theirs["main_score"] == pytest.approx(ours.scores()[ours.main], abs=SINGLE)
    assert ours.details["encoding"]["asked"] == 800
    assert ours.details["encoding"]["texts"] == len({*left, *right}), "each text is encoded once"


def test_pair_classification(static, rows, local_mteb):
    from mteb.abstasks.pair_classification import AbsTaskPairClassification

    found = rows("quora-pairs", "dev.jsonl.gz", 300)
    left, right, labels = ([row[key] for row in found] for key in ("a", "b", "label"))
    columns = local_mteb.columns({"test": {"sentence1": left, "sentence2": right, "labels": labels}})
    task = local_mteb.task(AbsTaskPairClassification, "LocalPairs", "PairClassification", "max_ap", columns)
    ours = pair_classification.run(static, LabelledPairs(left, right, np.array(labels), np.arange(300)), name="q")
    scores = {name: value for name, value in ours.scores().items() if not name.endswith("auc")}
    theirs = local_mteb.evaluate(as_mteb(static), task)
    same(scores, theirs)
    same({name: value for name, value in scores.items() if name.startswith("similarity_")}, theirs, EXACT)
    assert theirs["main_score"] == pytest.approx(scores[ours.main], abs=SINGLE)


def test_bitext(static, data, local_mteb):
    from mteb.abstasks.text.bitext_mining import AbsTaskBitextMining

    text = gzip.decompress((data("tatoeba") / "deu-eng.tsv.gz").read_bytes()).decode()
    pairs = list(dict(reversed(line.split("\t")) for line in text.splitlines()[1:401]).items())  # no English twice
    target, source = (list(column) for column in zip(*pairs, strict=True))
    columns = local_mteb.columns({"test": {"sentence1": source, "sentence2": target}})
    task = local_mteb.task(AbsTaskBitextMining, "LocalBitext", "BitextMining", "f1", columns)
    ours = bitext.run(static, ParallelTexts(source, target, ("deu", "eng")), name="tatoeba")
    same(ours.scores(), local_mteb.evaluate(as_mteb(static), task), EXACT)
    assert 0.01 < ours.scores()["accuracy"] < 0.9


def test_retrieval(static, data, local_mteb):
    collection = read_beir(data("cranfield"))
    documents = {record.id: (record.title, record.text) for record in collection.documents}
    qrels = {query: {id: int(grade) for id, grade in one.items()} for query, one in collection.qrels.items()}
    for encoder, kind in ((static, MtebEncoder), (WordEncoder(), MtebSearcher)):
        wrapped = as_mteb(encoder)
        assert isinstance(wrapped, kind)
        task = local_mteb.retrieval("LocalCranfield", documents, {q: collection.queries[q] for q in qrels}, qrels)
        theirs = local_mteb.evaluate(wrapped, task)
        ours = retrieval.run(encoder, collection, name="cranfield", k=1000)
        for name, value in ours.scores().items():
            kind_of, _, depth = name.partition("@")
            key = f"{ {'hits': 'hit_rate'}.get(kind_of, kind_of) }_at_{depth}"
            if depth and kind_of != "judged":
                assert theirs[key] == pytest.approx(value, abs=6e-6), name  # mteb keeps five digits
        assert wrapped.report.texts == len(documents) + len(qrels)


def candidates(rows, count=400):
    found = {}
    for row in rows("trecqa", "test.jsonl.gz", count):
        found.setdefault(row["query"], []).append((row["text"], float(row["label"])))
    texts = [[text for text, _ in some] for some in found.values()]
    return Candidates(list(found), texts, [np.array([grade for _, grade in some]) for some in found.values()])


@pytest.mark.parametrize("system", ["static", "words"])
def test_reranking(system, rows, local_mteb):
    encoder, data = load_encoder(system), candidates(rows)
    both = [i for i, grades in enumerate(data.grades) if 0 < (grades > 0).sum() < len(grades)]
    assert 5 < len(both) < len(data.queries), "some questions are left out"
    kept = Candidates(*([column[i] for i in both] for column in (data.queries, data.texts, data.grades)))
    documents, queries, qrels, top = {}, {}, {}, {}
    for i, (query, texts, grades) in enumerate(zip(kept.queries, kept.texts, kept.grades, strict=True)):
        ids = [f"{'apositive' if grade > 0 else 'negative'}_{i}_{place:05}" for place, grade in enumerate(grades)]
        documents |= {id: ("", text) for id, text in zip(ids, texts, strict=True)}
        queries[str(i)], top[str(i)] = query, ids
        qrels[str(i)] = {id: int(grade) for id, grade in zip(ids, grades, strict=True)}
    theirs = local_mteb.evaluate(as_mteb(encoder), local_mteb.retrieval("LocalQA", documents, queries, qrels, top))
    ours = reranking.run(encoder, kept, name="trecqa")
    for name in ("map@1000", "mrr@10", "ndcg@10"):
        assert theirs[name.replace("@", "_at_")] == pytest.approx(ours.scores()[name], abs=6e-6), name
    left_out = reranking.run(encoder, data, name="trecqa").details["left out"]
    assert sum(left_out.values()) == len(data.queries) - len(both)


def test_summarisation(static, data, local_mteb):
    from mteb.abstasks.text.summarization import AbsTaskSummarization

    texts = [record.text for record in read_beir(data("cranfield")).documents[:30] if len(record.text) > 300]
    numbers = np.random.default_rng(3)
    human = [[text[: len(text) // 2], text[len(text) // 3 :]] for text in texts]
    machine = [[text[: 60 * (i + 1)] for i in range(4)] + [texts[0][:150]] for text in texts]
    ratings = [numbers.integers(1, 6, 5).astype(float) for _ in texts]
    ratings[2] = np.full(5, 3.0)  # says nothing: left out, here and there
    columns = {"text": texts, "human_summaries": human, "machine_summaries": machine, "relevance": ratings}
    task = local_mteb.task(
        *(AbsTaskSummarization, "LocalSummaries", "Summarization", "cosine_spearman"),
        *(local_mteb.columns({"test": columns}),),
        min_score=0,
        max_score=5,
    )
    ours = summarisation.run(static, Summaries(human, machine, ratings), name="made up")
    assert ours.details["left out"] == 1
    same(ours.scores(), local_mteb.evaluate(as_mteb(static), task))


def test_a_perfect_and_an_empty_ranker_of_candidates(rows):
    data = candidates(rows, 200)
    grade = {
        (query, text): value
        for query, texts, values in zip(data.queries, data.texts, data.grades, strict=True)
        for text, value in zip(texts, values, strict=True)
    }

    class Knows:
        def score(self, query, documents):
            return [grade[query, document] for document in documents]

    class Shrugs:
        def score(self, query, documents):
            return [0.5] * len(documents)

    assert candidate_ranking.run(Knows(), data, name="trecqa").scores()["map"] == 1.0
    # of equals the wrong come first: the first right one follows all wrong ones
    blind = candidate_ranking.run(Shrugs(), data, name="trecqa").samples["mrr"].items
    kept = [grades for grades in data.grades if (grades > 0).any()]
    np.testing.assert_allclose(blind, [1 / (1 + (grades <= 0).sum()) for grades in kept])


def test_the_adapter_takes_texts_only_and_knows_itself(static):
    from mteb.models import EncoderProtocol, SearchProtocol

    assert isinstance(as_mteb(static), EncoderProtocol)
    words = as_mteb(WordEncoder(), name="mine/words")
    assert isinstance(words, SearchProtocol)
    assert (words.mteb_model_meta.name, words.mteb_model_meta.revision) == ("mine/words", WordEncoder().identity)
    with pytest.raises(UsageError, match="texts only"):
        as_mteb(static).encode([{"image": [1]}])
    with pytest.raises(UsageError, match="nothing is indexed"):
        words.search([], top_k=3)


def test_prompt_types_become_roles():
    from mteb.types import PromptType

    class Asked:
        roles: ClassVar[list] = []

        def encode(self, inputs, *, role=None, report=None):
            self.roles.append((role, list(inputs)))

    model = MtebEncoder(Asked(), None)
    for prompt_type in (PromptType.query, PromptType.document, None):
        model.encode([{"text": ["a", "b"]}, {"text": ["c"]}], prompt_type=prompt_type, batch_size=2)
    assert Asked.roles == [(role, ["a", "b", "c"]) for role in ("query", "document", None)]


def test_without_mteb_the_extra_is_named(static, monkeypatch):
    import sys

    from isogloss.errors import MissingExtraError

    monkeypatch.setitem(sys.modules, "mteb.models.model_meta", None)
    with pytest.raises(MissingExtraError, match=r"isogloss\[mteb\]"):
        as_mteb(static)
