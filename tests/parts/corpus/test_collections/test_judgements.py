"""Qrels and runs: every form read alike, everything wrong said with file and line."""

import gzip
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.corpus.judgements import RankedRun
from isogloss.corpus.test_collections.qrels import keep_known, read_qrels, write_qrels
from isogloss.corpus.test_collections.runs import read_run, write_run
from isogloss.errors import CorpusError, IsoglossWarning

WANTED = {"1": {"d7": 2.0, "d9": 0.0}, "2": {"d7": 1.0}}
FORMS = {
    "trec": "1 0 d7 2\n1 0 d9 0\n2 0 d7 1\n",
    "trec with tabs": "1\t0\td7\t2\n1\t0\td9\t0\n2\t0\td7\t1\n",
    "trec with many blanks": "1   0  d7\t2\n1   0  d9\t0\n\n2   0  d7\t1\n",
    "beir": "query-id\tcorpus-id\tscore\n1\td7\t2\n1\td9\t0\n2\td7\t1\n",
    "beir without header": "1\td7\t2\n1\td9\t0\n2\td7\t1\n",
    "other order": "score,query-id,doc_id\n2,1,d7\n0,1,d9\n1,2,d7\n",
    "csv with quotes": 'qid,docid,relevance,note\n1,d7,2,"a, b"\n1,d9,0,\n2,"d7",1,""\n',
    "jsonl": "\n".join(json.dumps({"query_id": q, "docid": d, "rel": r}) for q, d, r in
                       [(1, "d7", 2), (1, "d9", 0), (2, "d7", 1.0)]),
}  # fmt: skip


def put(folder, content, name="file"):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_qrels_is_read_alike(tmp_path, form):
    assert read_qrels(put(tmp_path, FORMS[form])) == WANTED


@pytest.mark.parametrize("form", FORMS)
def test_marks_line_ends_and_gzip_change_nothing(tmp_path, form):
    text = FORMS[form].encode()
    dressed = b"\xef\xbb\xbf" + text.replace(b"\n", b"\r\n")
    assert read_qrels(put(tmp_path, dressed)) == WANTED
    assert read_qrels(put(tmp_path, gzip.compress(dressed), "a.gz")) == WANTED
    assert read_qrels(put(tmp_path, gzip.compress(dressed), "no-suffix")) == WANTED


@pytest.mark.parametrize(
    ("content", "line", "said"),
    [
        ("", 0, "no rows"),
        ("\n \n", 0, "no rows"),
        ("query-id\tcorpus-id\tscore\n", 0, "no judgements"),
        ("1 0 d7 2\n1 0 d9\n", 2, "3 columns where the first row has 4"),
        ("1 0 d7 yes\n", 1, "'yes' is no grade"),
        ("1 0 d7 nan\n", 1, "'nan' is no grade"),
        ("1 0 d7 inf\n", 1, "'inf' is no grade"),
        ("1 0 d7 1\n1 0 d7 2\n", 2, "is graded 1 and 2"),
        ("a\tb\n", 1, "2 columns"),
        ("query-id,corpus-id,grade\n1,,2\n", 2, "no document id"),
        ('{"query-id": "1", "corpus-id": "d", "score": 1}\n{"query-id": "1"}\n', 2, "no document among the fields"),
        ('{"query-id": "1", "corpus-id": "d", "score": NaN}\n', 1, "nan is no grade"),
        ('{"query-id": "1", "corpus-id": "d", "score": true}\n', 1, "True is no grade"),
        ('{"query-id": null, "corpus-id": "d", "score": 1}\n', 1, "None is no question id"),
        ('{"query-id": 1,\n', 1, "no JSON"),
        ('{"query-id": 1, "corpus-id": "d", "score": 1}\n[1, 2, 3]\n', 2, "a JSON list"),
        ('qid,docid,rel\n"1,d7,2\n', 2, "broken quotes"),
    ],
)
def test_faults_of_qrels_name_file_line_and_what_was_expected(tmp_path, content, line, said):
    path = put(tmp_path, content)
    with pytest.raises(CorpusError) as caught:
        read_qrels(path)
    assert said in caught.value.what
    assert str(path) in caught.value.what
    assert (f"line {line}:" in caught.value.what) == bool(line)
    assert "question, document, grade" in caught.value.why or caught.value.why.startswith("expected: ")


def test_missing_broken_and_binary_files_are_errors(tmp_path):
    for path in (tmp_path / "none", put(tmp_path, gzip.compress(b"1 0 d 1\n" * 500)[:40], "cut.gz"),
                 put(tmp_path, bytes(range(256)) * 20, "binary")):  # fmt: skip
        with pytest.raises(CorpusError):
            read_qrels(path)


def test_a_judgement_twice_alike_is_counted(tmp_path):
    with pytest.warns(IsoglossWarning, match="1 judgements stand more than once"):
        assert read_qrels(put(tmp_path, "1 0 d 1\n1 0 d 1\n")) == {"1": {"d": 1.0}}


def test_unknown_ids_are_counted_and_left_out():
    qrels = {"1": {"a": 1.0, "x": 1.0, "y": 0.0}, "9": {"a": 1.0}}
    with pytest.warns(
        IsoglossWarning, match=r"3 of 4 judgements left out: 2 with an unknown document \(the first is x"
    ):
        kept, unknown = keep_known(qrels, ["1", "2"], ["a", "b"], "mine")
    assert kept == {"1": {"a": 1.0}}
    assert unknown == {"unknown document": 2, "unknown question": 1}
    with pytest.raises(CorpusError, match="none of the 4 judgements of mine"):
        keep_known(qrels, ["1", "2"], ["other"], "mine")


IDS = st.text(st.characters(codec="utf-8", exclude_categories=("Z", "C")), min_size=1, max_size=8)
QRELS = st.dictionaries(IDS, st.dictionaries(IDS, st.integers(-1, 9).map(float), min_size=1), min_size=1)


@given(QRELS)
def test_written_qrels_read_back_equal(tmp_path_factory, qrels):
    path = tmp_path_factory.mktemp("qrels") / "q.trec"
    write_qrels(qrels, path)
    assert read_qrels(path) == qrels


def test_what_trec_files_cannot_hold_is_an_error(tmp_path):
    for qrels in ({"a b": {"d": 1.0}}, {"a": {"": 1.0}}, {"a": {"d": 0.5}}):
        with pytest.raises(CorpusError):
            write_qrels(qrels, tmp_path / "q")


RUN = "1 Q0 d7 1 0.5 mine\n1 Q0 d9 2 0.25 mine\n2 Q0 d1 1 7 mine\n"


def test_a_trec_run_is_read_by_its_scores(tmp_path):
    run = read_run(put(tmp_path, RUN))
    assert (run.queries, run.documents, run.name) == (["1", "2"], [["d7", "d9"], ["d1"]], "mine")
    assert run.scores[0].tolist() == [0.5, 0.25]
    named = "query,document,score\n1,d9,0.25\n1,d7,0.5\n2,d1,7\n"
    assert read_run(put(tmp_path, named, "b.csv")).documents == run.documents
    assert read_run(put(tmp_path, named, "b.csv")).name == "b.csv"
    rows = "\n".join(json.dumps({"qid": q, "docid": d, "score": s}) for q, d, s in [(1, "d9", 0.25), (1, "d7", 0.5)])
    assert read_run(put(tmp_path, rows), "other").documents == [["d7", "d9"]]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "no rows"),
        ("1 Q0 d7 1 0.5\n", "5 columns"),
        ("1 Q0 d7 1 high mine\n", "'high' is no score"),
        ("1 Q0 d7 1 nan mine\n", "'nan' is no score"),
        ("1 Q0 d7 first 1 mine\n", "'first' is no rank"),
        (RUN + "1 Q0 d7 3 0.1 mine\n", "line 4: document d7 stands twice in question 1"),
        (RUN + "2 Q0 d5 3 0.1 yours\n", "line 4: the tag yours after mine"),
        ("query\tdocument\tscore\n", "a header and no answers"),
    ],
)
def test_faults_of_runs_are_errors(tmp_path, content, said):
    with pytest.raises(CorpusError) as caught:
        read_run(put(tmp_path, content))
    assert said in caught.value.what


def test_ranks_against_scores_and_constant_scores_are_warnings(tmp_path):
    with pytest.warns(IsoglossWarning, match="in 1 of 2 questions the ranks contradict the scores"):
        assert read_run(put(tmp_path, RUN.replace("0.25", "0.75"))).documents[0] == ["d9", "d7"]
    with pytest.warns(IsoglossWarning, match="in each of 1 questions all documents have the same score"):
        read_run(put(tmp_path, RUN.replace("0.25", "0.5")))


@given(st.dictionaries(IDS, st.dictionaries(IDS, st.floats(-9, 9), min_size=1), min_size=1))
def test_written_runs_read_back_bit_equal(tmp_path_factory, found):
    import warnings

    run = RankedRun.from_scores(found, "my system")
    path = tmp_path_factory.mktemp("runs") / "r"
    write_run(run, path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", IsoglossWarning)  # constant scores may be drawn
        again = read_run(path)
    assert (again.queries, again.documents, again.name) == (run.queries, run.documents, "my_system")
    assert all(np.array_equal(a, b) for a, b in zip(again.scores, run.scores, strict=True))


def test_pytrec_eval_reads_what_we_write_as_we_do(tmp_path):
    import pytrec_eval

    write_qrels(WANTED, tmp_path / "q")
    write_run(RankedRun.from_scores({"1": {"d7": 0.1 + 0.2, "d9": 1 / 3}}, "mine"), tmp_path / "r")
    with (tmp_path / "q").open() as file:
        theirs = pytrec_eval.parse_qrel(file)
    assert {q: {d: float(g) for d, g in judged.items()} for q, judged in theirs.items()} == read_qrels(tmp_path / "q")
    with (tmp_path / "r").open() as file:
        assert pytrec_eval.parse_run(file) == {"1": {"d7": 0.1 + 0.2, "d9": 1 / 3}}
