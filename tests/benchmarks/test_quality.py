"""The measures of the quality benchmark, against trec_eval and scipy."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def quality():
    sys.path.insert(0, str(BENCHMARKS))
    try:
        yield importlib.import_module("quality")
    finally:
        sys.path.remove(str(BENCHMARKS))


def test_ndcg_by_hand(quality):
    # gains 0, 3, 1 at ranks 1 to 3; the best order is 3, 2, 1
    judged = {5: 3.0, 6: 2.0, 7: 1.0, 8: 0.0}
    got = 3 / np.log2(3) + 1 / np.log2(4)
    best = 3 + 2 / np.log2(3) + 1 / np.log2(4)
    assert quality.ndcg([9, 5, 7], judged) == pytest.approx(got / best)
    assert quality.ndcg([5, 6, 7], judged) == 1
    assert quality.ndcg([], judged) == 0
    assert quality.ndcg([5], {5: 0.0}) == 0
    assert quality.ndcg([9, 5], {5: 1.0}, k=1) == 0


@given(
    st.dictionaries(st.integers(0, 30), st.integers(-1, 4), min_size=1, max_size=20),
    st.lists(st.integers(0, 40), unique=True, min_size=1, max_size=30),
)
def test_ndcg_equals_trec_eval(quality, judged, ranked):
    pytrec_eval = pytest.importorskip("pytrec_eval")
    evaluator = pytrec_eval.RelevanceEvaluator({"q": {f"d{d}": gain for d, gain in judged.items()}}, {"ndcg_cut.10"})
    run = {"q": {f"d{d}": float(100 - rank) for rank, d in enumerate(ranked)}}
    wanted = evaluator.evaluate(run)["q"]["ndcg_cut_10"]
    assert quality.ndcg(ranked, {d: float(gain) for d, gain in judged.items()}) == pytest.approx(wanted, abs=1e-6)


def test_spearman_equals_scipy(quality):
    from scipy.stats import spearmanr

    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 9, 200).astype(float), rng.standard_normal(200)
    assert quality.spearman(a, b) == pytest.approx(spearmanr(a, b).statistic)


def test_intervals_cover_as_often_as_they_say(quality):
    rng = np.random.default_rng(1)
    inside = 0
    chosen = quality.draws(60, "coverage")
    for _ in range(200):
        low, high = quality.mean_with_interval(rng.normal(0.3, 0.2, 60), chosen)["interval"]
        inside += low <= 0.3 <= high
    assert 0.88 < inside / 200 < 0.99
    assert np.array_equal(quality.draws(5, "x"), quality.draws(5, "x"))
    assert not np.array_equal(quality.draws(5, "x"), quality.draws(5, "y"))


def test_a_small_collection_from_end_to_end(quality, tmp_path):
    import gzip

    def write(name, rows):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        with gzip.open(tmp_path / name, "wt") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)

    texts = ["heat in slabs", "cold water", "archives hold files", "ships and salt"]
    write("corpus.jsonl.gz", [{"_id": f"d{i}", "title": "", "text": text} for i, text in enumerate(texts)])
    write("queries.jsonl.gz", [{"_id": "1", "text": "heat"}, {"_id": "2", "text": "salt"}, {"_id": "3", "text": "x"}])
    (tmp_path / "qrels").mkdir()
    (tmp_path / "qrels" / "test.tsv").write_text(
        "query-id\tcorpus-id\tscore\n1\td0\t2\n2\td0\t1\n3\td1\t0\n2\tgone\t1\n"
    )
    task = quality.read_task(tmp_path)
    assert task.queries == ["heat", "salt"]  # the third has no relevant document
    assert task.judged == [{0: 2.0}, {0: 1.0}]
    from isogloss.encoders.names import load_encoder

    found = quality.measure(task, "tiny", False, {"words": load_encoder("words")}, [])
    assert found["ndcg@10"]["words"]["mean"] == 0.5
    document = {"retrieval": [found], "sts": {"systems": {"static": {"spearman": 0.72, "interval": [0.7, 0.74]}}}}
    table = quality.markdown(document)
    assert "| tiny, 2 queries | .500" in table
    assert "| static | .720 | [.700, .740] |" in table
