"""Ranking metrics equal trec_eval's on real runs, ties included, and MTEB's."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given
from hypothesis import strategies as st

from isogloss.corpus.judgements import RankedRun, judged_queries
from isogloss.corpus.test_collections.beir import read_beir
from isogloss.encoders.lexical import WordEncoder
from isogloss.encoders.names import load_encoder
from isogloss.errors import IsoglossError, IsoglossWarning, UsageError
from isogloss.evaluation.metrics.ranking import METRICS, canonical, judge, measure
from isogloss.evaluation.ranking import rank

TREC = {
    *("ndcg", "map", "recip_rank", "Rprec", "bpref", "ndcg_cut.1,10,100", "map_cut.3,100", "P.1,5,20"),
    *("recall.5,100,1000", "success.1,10"),
}


def as_found(run):
    return {
        query: dict(zip(documents, scores.tolist(), strict=True))
        for query, documents, scores in zip(run.queries, run.documents, run.scores, strict=True)
    }


def compare(run, qrels):
    # pytrec_eval never returns from a question of which all grades are below 0; none of these is asked
    asked = {query: qrels[query] for query in judged_queries(qrels)}
    whole = {query: {document: int(grade) for document, grade in one.items()} for query, one in asked.items()}
    theirs = pytrec_eval.RelevanceEvaluator(whole, TREC).evaluate(as_found(run))
    judged = judge(run, qrels)
    names = list(next(iter(theirs.values())))
    ours = measure(judged, names=names)
    assert len(ours) == len(names) == 18
    for name in names:
        wanted = [theirs[query][name] if query in theirs else 0.0 for query in judged.queries]
        np.testing.assert_allclose(ours[canonical(name)].items, wanted, rtol=0, atol=1e-9, err_msg=name)


@pytest.mark.parametrize("system", ["words", "static"])
@pytest.mark.parametrize("collection", ["cranfield", "scifact"])
def test_equals_trec_eval_on_real_runs(collection, system, data):
    read = read_beir(data(collection))
    compare(rank(load_encoder(system), read), read.qrels)


def test_equals_trec_eval_where_everything_ties(data):
    read = read_beir(data("cranfield"))
    run = rank(WordEncoder(), read, k=200)
    coarse = {query: {d: round(s) for d, s in found.items()} for query, found in as_found(run).items()}
    compare(RankedRun.from_scores(coarse), read.qrels)


@pytest.mark.filterwarnings("ignore")
def test_equals_mteb(data):
    calculate_retrieval_scores = pytest.importorskip("mteb._evaluators.retrieval_metrics").calculate_retrieval_scores
    read = read_beir(data("scifact"))
    run = rank(WordEncoder(), read, k=100)
    whole = {query: {document: int(grade) for document, grade in one.items()} for query, one in read.qrels.items()}
    theirs = calculate_retrieval_scores(as_found(run), whole, [1, 10, 100])
    ours = measure(run, read.qrels, [f"{name}@{k}" for name in ("mrr", "ndcg", "map", "hits") for k in (1, 10, 100)])
    for k in (1, 10, 100):
        assert ours[f"mrr@{k}"].value() == pytest.approx(theirs.mrr[f"MRR@{k}"], abs=1e-9)
        assert round(ours[f"ndcg@{k}"].value(), 5) == theirs.ndcg[f"NDCG@{k}"]  # mteb keeps five digits
        assert round(ours[f"map@{k}"].value(), 5) == theirs.map[f"MAP@{k}"]
        assert round(ours[f"hits@{k}"].value(), 5) == theirs.hit_rate[f"HitRate@{k}"]


grades = st.integers(-2, 3)
names = st.sampled_from("abcdefgh")


@given(
    st.dictionaries(names, st.dictionaries(names, grades, min_size=1), min_size=1, max_size=5),
    st.dictionaries(names, st.dictionaries(names, st.integers(0, 3), min_size=1), min_size=1, max_size=5),
)
def test_equals_trec_eval_on_any_run(qrels, found):
    if not any(grade > 0 for query in found for grade in qrels.get(query, {}).values()):
        return
    # differences that a 32-bit float does not see are ties for trec_eval
    close = {query: {d: s + i * 1e-12 for i, (d, s) in enumerate(one.items())} for query, one in found.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", IsoglossWarning)
        compare(RankedRun.from_scores(close), {q: {d: float(g) for d, g in one.items()} for q, one in qrels.items()})


def test_hand_arithmetic():
    run = RankedRun.from_scores({"q": {"a": 4.0, "b": 3.0, "c": 2.0, "d": 1.0}})
    qrels = {"q": {"b": 2.0, "d": 1.0, "x": 1.0, "a": 0.0}}
    found = {name: s.value() for name, s in measure(run, qrels, [*METRICS_AT_FOUR]).items()}
    gain = 2 / np.log2(3) + 1 / np.log2(5)
    assert found["ndcg@4"] == pytest.approx(gain / (2 + 1 / np.log2(3) + 1 / np.log2(4)))
    assert found["map"] == pytest.approx((1 / 2 + 2 / 4) / 3)
    assert found["mrr"] == 0.5
    assert found["recall@4"] == pytest.approx(2 / 3)
    assert found["precision@4"] == 0.5
    assert found["hits@4"] == 1.0
    assert found["rprec"] == pytest.approx(1 / 3)
    assert found["judged@4"] == 0.75
    assert found["bpref"] == 0.0  # one document judged not relevant stands above both: 1 - min(1, 3) / min(1, 3)


METRICS_AT_FOUR = ("ndcg@4", "map", "mrr", "recall@4", "precision@4", "hits@4", "rprec", "judged@4", "bpref")


def test_the_run_lacks_a_question_and_says_so():
    qrels = {"q": {"a": 1.0}, "r": {"a": 1.0}, "none": {"a": 0.0}}
    with pytest.warns(IsoglossWarning, match="lacks 1 of 2 judged questions, which count 0; the first: r"):
        found = measure(RankedRun.from_scores({"q": {"a": 2.0, "b": 1.0}}), qrels, ["mrr"])
    assert found["mrr"].items.tolist() == [1.0, 0.0]


def test_bad_runs_and_judgements_are_errors():
    run = RankedRun.from_scores({"q": {"a": 1.0}})
    with pytest.raises(IsoglossError, match="0 judgements of 0 questions"):
        judge(run, {})
    with pytest.raises(IsoglossError, match="answers none of the 1 judged questions"):
        judge(run, {"Q": {"a": 1.0}})
    with pytest.raises(IsoglossError, match="a grade is not finite"):
        judge(run, {"q": {"a": 1.0, "b": float("nan")}})
    with pytest.raises(IsoglossError, match="1 of 1 are NaN or infinite, the first of question q"):
        judge(RankedRun(["q"], [["a"]], [np.array([np.nan])]), {"q": {"a": 1.0}})
    with pytest.raises(IsoglossError, match="broken at question q"):
        judge(RankedRun(["q"], [["a", "a"]], [np.array([2.0, 1.0])]), {"q": {"a": 1.0}})
    with pytest.raises(IsoglossError, match="gives a question twice"):
        judge(RankedRun(["q", "q"], [["a"], ["a"]], [np.ones(1), np.ones(1)]), {"q": {"a": 1.0}})
    with pytest.warns(IsoglossWarning, match="one score: their order is that of their ids"):
        judge(RankedRun.from_scores({"q": {"a": 1.0, "b": 1.0}}), {"q": {"a": 1.0}})


@pytest.mark.parametrize("name", ["ndgc@10", "recall", "bpref@5", "ndcg@0", ""])
def test_unknown_names_are_usage_errors(name):
    with pytest.raises(UsageError):
        canonical(name)


@pytest.mark.parametrize("name", list(METRICS))
def test_groups_are_those_of_the_questions(name):
    qrels = {"q": {"a": 1.0}, "r": {"b": 1.0}}
    run = RankedRun.from_scores({"r": {"b": 1.0}, "q": {"b": 2.0, "a": 1.0}})
    sample = measure(run, qrels, [name if name in ("rprec", "bpref") else f"{name}@2"], groups={"q": 5, "r": 3})
    assert next(iter(sample.values())).groups.tolist() == [5, 3]
