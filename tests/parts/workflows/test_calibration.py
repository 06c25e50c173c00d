"""Calibration in known worlds: what is said must come true on other questions, and noise must be called noise."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from isogloss.collection.calibration import FUSED, Curve, Meaning, read
from isogloss.collection.collection import Collection
from isogloss.corpus.judgements import RankedRun
from isogloss.errors import CorpusError, IndexNotFoundError, UsageError
from isogloss.evaluation.report.content import Questions
from isogloss.protocols import Record
from isogloss.workflows import calibration
from isogloss.workflows.calibration import Pairs, _Fitted, _halves, _pairs, answers_of, calibrate
from isogloss.workflows.requests import Request
from isogloss.workflows.scoring import Judgement

ABOUT = Questions(400, 1000)


def world(n, *, seed, questions=400, flip=False):
    """Pairs whose true P(relevant) is known: logistic in the score."""
    draws = np.random.default_rng(seed)
    scores = draws.normal(size=n)
    truth = 1 / (1 + np.exp(-(2 * scores - 1)))
    relevant = draws.random(n) < (truth if not flip else truth.mean())
    return Pairs([{"a": float(s)} for s in scores], relevant.tolist(), (np.arange(n) * questions // n).tolist()), truth


def fitted(**options):
    made = _Fitted(Judgement({}, {}, ABOUT), Pairs([{"a": -3.0}] * 50, [False] * 50, list(range(50))), 0)
    made.add(["a"], [world(4000, seed=1, **options)[0], world(4000, seed=2, **options)[0]])
    return made


def test_a_known_probability_is_found():
    meaning = fitted().systems["a"]
    for score in (-1.0, 0.0, 0.5, 1.5):
        p, low, high = meaning.judge({"a": score})
        truth = 1 / (1 + np.exp(-(2 * score - 1)))
        assert abs(p - truth) < 0.06
        assert low - 0.02 <= truth <= high + 0.02
    assert meaning.error[0] < 0.03


def test_scores_that_mean_nothing_are_called_so():
    made = fitted(flip=True)
    assert any("not shown to be better" in note for note in made.notes)
    assert not any("not shown" in note for note in fitted().notes)


def test_two_encoders_say_more_than_one():
    draws = np.random.default_rng(5)
    halves = []
    for _ in range(2):
        a, b = draws.normal(size=(2, 4000))
        y = draws.random(4000) < 1 / (1 + np.exp(-(1.5 * a + 1.5 * b - 1)))
        scores = [{"a": float(x), "b": float(z), FUSED: float(x + z)} for x, z in zip(a, b, strict=True)]
        halves.append(Pairs(scores, y.tolist(), (np.arange(4000) // 10).tolist()))
    made = _Fitted(Judgement({}, {}, ABOUT), Pairs([], [], []), 0)
    for parts in (["a"], ["b"], ["a", "b"]):
        only = [
            Pairs([{k: s[k] for k in s if k in (*parts, FUSED)} for s in half.scores], half.relevant, half.groups)
            for half in halves
        ]
        made.add(
            parts,
            only if len(parts) > 1 else [replace(h, scores=[{parts[0]: s[parts[0]]} for s in h.scores]) for h in only],
        )
    assert made.systems["a + b"].brier[0] < min(made.systems["a"].brier[0], made.systems["b"].brier[0]) - 0.01
    assert set(made.systems["a + b"].parts) == {"a", "b", FUSED}


def test_what_cannot_be_fitted_is_a_note_and_leaves_the_rest():
    made = fitted()
    same, _ = world(400, seed=3)
    made.add(["b"], [replace(same, scores=[{"b": 1.0}] * 400)] * 2)
    made.add(["a", "b"], [same, same])
    assert list(made.systems) == ["a"]
    assert [note.split(":")[0] for note in made.notes if "not fitted" in note] == ["b", "a + b"]


def test_questions_of_one_document_stay_in_one_half():
    queries = {str(n): "text" for n in range(90)}
    judged = Judgement(queries, {}, ABOUT, {query: int(query) // 3 for query in queries})
    first, second = _halves(judged, 0)
    assert not first & second
    assert first | second == set(queries)
    assert not {int(q) // 3 for q in first} & {int(q) // 3 for q in second}
    assert _halves(judged, 1)[0] != first


def test_pairs_are_what_the_system_found_with_every_score():
    run = RankedRun.from_scores({"q": {"x": 0.9, "y": 0.5}, "out": {"x": 1.0}}, "joined")
    answers = {"words": answers_of(RankedRun.from_scores({"q": {"x": 6.0, "z": 3.0}, "out": {}}), {"q": 3.0}),
               FUSED: answers_of(run, {})}  # fmt: skip
    judged = Judgement({"q": "a b c", "out": "d"}, {"q": {"x": 2.0, "y": 0.0}, "out": {}}, ABOUT)
    found = _pairs(run, answers, judged, {"q"})
    assert found.scores == [{"words": 2.0, FUSED: 0.9}, {FUSED: 0.5}]
    assert found.relevant == [True, False]


TOPICS = ["heat", "wing", "slab", "yeast", "crust", "zebra", "tariff", "quartz", "fjord", "sonnet"]


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """An index where a question names its documents' topic and number, with judgements."""
    root = tmp_path_factory.mktemp("calibration")
    draws = np.random.default_rng(0)
    filler = [f"filler{n}" for n in range(200)]
    records, queries, qrels = [], [], []
    for n in range(600):
        topic = TOPICS[n % 10]
        records.append(Record(f"d{n}", f"{topic} number{n // 4} " + " ".join(draws.choice(filler, 12))))
    for n in range(150):
        words = " ".join(draws.choice(filler, 2))
        queries.append({"_id": f"q{n}", "text": f"{TOPICS[(4 * n) % 10]} number{n} {words}"})
        qrels += [f"q{n} 0 d{4 * n + i} 1" for i in range(2)]
    with Collection.create(root / "index", encoders=["words", "static"]) as collection:
        collection.add(records)
    (root / "queries.jsonl").write_text("\n".join(map(json.dumps, queries)))
    (root / "qrels.trec").write_text("\n".join(qrels))
    request = Request(
        kind="index", index=str(root / "index"), queries=str(root / "queries.jsonl"), qrels=str(root / "qrels.trec")
    )
    return request, queries


def test_an_index_is_calibrated_and_its_search_shows_it(judged):
    request, queries = judged
    found = calibrate(request)
    assert set(found.calibration.systems) == {"words", "static", "static + words"}
    assert read(request.index) == found.calibration
    assert not found.calibration.synthetic
    with Collection.open(request.index) as collection:
        answers = collection.search([one["text"] for one in queries], k=10)
        ps = np.array([hit.p for answer in answers for hit in answer.hits])
        right = np.array(
            [hit.document in (f"d{4 * n}", f"d{4 * n + 1}") for n, a in enumerate(answers) for hit in a.hits]
        )
        # what is said comes true, among likely and among unlikely documents
        for some in (ps >= 0.3, ps < 0.3):
            assert abs(ps[some].mean() - right[some].mean()) < 0.12
        kept = collection.search(queries[0]["text"], min_p=0.3)
        assert kept.p_by == "150 judged questions"
        assert all(hit.p >= 0.3 for hit in kept.hits)
        nothing = collection.search("unheard words of another world", min_p=0.5)
        assert nothing.hits == []


def test_a_search_judges_as_the_calibration_measured(judged):
    """The P of a hit equals the curve at the evidence that the fit saw: same scores on both roads."""
    request, queries = judged
    found = calibrate(request, keep=False)
    seen = []
    keep = calibration._pairs
    try:
        calibration._pairs = lambda *arguments: seen.append(keep(*arguments)) or seen[-1]
        calibrate(request, keep=False)
    finally:
        calibration._pairs = keep
    joined = seen[-2:]  # both halves of the system that joins the encoders
    meaning = found.calibration.systems["static + words"]
    expected = sorted(round(meaning.judge(scores)[0], 4) for half in joined for scores in half.scores)
    found.calibration.write(request.index)
    with Collection.open(request.index) as collection:
        hits = [hit for one in collection.search([q["text"] for q in queries], k=20) for hit in one.hits]
    assert np.abs(np.array(sorted(hit.p for hit in hits)) - np.array(expected)).max() < 0.002


def test_the_same_seed_gives_the_same_calibration(judged):
    request, _ = judged
    assert calibrate(request, keep=False).calibration == calibrate(request, keep=False).calibration
    assert calibrate(replace(request, seed=1), keep=False).calibration != calibrate(request, keep=False).calibration


def test_made_questions_are_called_synthetic(data, tmp_path, monkeypatch):
    from isogloss.corpus.test_collections.beir import read_beir

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with Collection.create(tmp_path / "index", encoders=["words", "static"]) as collection:
        collection.add([one for one in read_beir(data("cranfield")).documents if one.text.strip()][:300])
    found = calibrate(Request(kind="questions", index=str(tmp_path / "index"), questions=150))
    assert found.calibration.synthetic
    assert all(table.synthetic for table in found.report.calibration)
    assert any("only the document that a question was made from" in note for note in found.report.notes)
    with Collection.open(tmp_path / "index") as collection:
        assert collection.search("flow past a cone").p_by == "150 synthetic questions"


def test_too_few_questions_are_refused(judged, tmp_path):
    request, queries = judged
    few = tmp_path / "few.jsonl"
    few.write_text("\n".join(map(json.dumps, queries[:10])))
    qrels = tmp_path / "qrels.trec"
    qrels.write_text("\n".join(f"q{n} 0 d{4 * n} 1" for n in range(10)))
    with pytest.raises(CorpusError, match="too few"):
        calibrate(replace(request, queries=str(few), qrels=str(qrels)))


def test_without_an_index_nothing_is_calibrated(tmp_path):
    with pytest.raises(IndexNotFoundError):
        calibrate(Request(kind="questions", index=str(tmp_path / "nothing")))


def test_a_folder_of_documents_is_not_an_index(tmp_path, data):
    with pytest.raises((UsageError, CorpusError)):
        calibrate(Request(kind="index", data=str(data("cranfield"))))


def test_a_curve_stays_level_beyond_what_was_seen():
    meaning = Meaning(Curve([0.0, 1.0], [0.2, 0.6], [0.1, 0.5], [0.3, 0.7]))
    assert meaning.judge({"a": 50.0}) == (0.6, 0.5, 0.7)
