"""Questions, BEIR folders, pairs and labelled texts: all forms, all faults, and the real folders."""

import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.corpus.examples import LabelledPairs, ScoredPairs
from isogloss.corpus.test_collections.beir import read_beir, splits
from isogloss.corpus.test_collections.labelled import read_labelled, read_scored_texts
from isogloss.corpus.test_collections.pairs import read_pairs
from isogloss.corpus.test_collections.queries import read_queries
from isogloss.errors import CorpusError, IsoglossWarning

QUERIES = {"7": "heat in wings", "12": "flow & shock"}
FORMS = {
    "sgml": "<top>\n<num> Number: 7\n<title> heat\nin wings\n\n<desc> Description:\nWhy?\n</top>\n\n"
    "<top>\n<num> Number: 12\n<title> flow &amp; shock\n<desc> Description:\nWhat?\n</top>\n",
    "xml": "<?xml version='1.0'?>\n<xml>\n<top>\n<num>7</num><title>\nheat in wings\n</title>\n</top>\n"
    "<top>\n<num> 12</num><title>flow &amp; shock</title></top>\n</xml>\n",
    "attributes": '<topics><topic number="7"><query>heat in wings</query><question>Why?</question></topic>\n'
    '<topic number="12" type="x"><query>flow &amp; shock</query></topic></topics>',
    "smart": ".I 007\n.W\nheat\nin wings\n.I 012\n.A\nSomebody\n.W\nflow & shock\n",
    "tsv": "7\theat in wings\n12\tflow & shock\n",
    "tsv with header": "qid\tquery\tlength\n7\theat in wings\t3\n12\tflow & shock\t3\n",
    "csv": 'id,text\n7,heat in wings\n12,"flow & shock"\n',
    "jsonl": '{"_id": "7", "text": "heat in wings", "metadata": {}}\n{"_id": 12, "text": "flow & shock"}\n',
}


def put(folder, content, name="file"):
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder / name


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_questions_is_read_alike(tmp_path, form):
    assert read_queries(put(tmp_path, FORMS[form])) == QUERIES
    dressed = b"\xef\xbb\xbf" + FORMS[form].replace("\n", "\r\n").encode()
    assert read_queries(put(tmp_path, gzip.compress(dressed), "q.gz")) == QUERIES


def test_other_fields_of_topics(tmp_path):
    path = put(tmp_path, FORMS["sgml"])
    assert read_queries(path, "desc") == read_queries(path, "description") == {"7": "Why?", "12": "What?"}
    with pytest.raises(CorpusError, match="topic 7 has no <narr>, only desc, num, title"):
        read_queries(path, "narrative")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "the file is empty"),
        ("id\ttext\n", "no questions"),
        ("1\ta\n1\tb\n", "line 2: the question id 1 stands twice"),
        ("1\ta\n2\t\n", "line 2: the text of question 2 is empty"),
        ("1\ta\n2\tb\tc\n", "line 2: 3 columns where the first row has 2"),
        ("only words\n", "line 1: 1 columns"),
        ("<top><num>1<title></top>", "the text of question 1 is empty"),
        ("<top><title>a</top>", "a topic without a number"),
        ("<html></html>", "no <top>"),
        ('{"_id": "1", "text": ["a"]}', "the text of question 1 is ['a']"),
    ],
)
def test_faults_of_questions_are_errors(tmp_path, content, said):
    with pytest.raises(CorpusError) as caught:
        read_queries(put(tmp_path, content))
    assert said in caught.value.what


@given(st.dictionaries(st.integers(0, 99).map(str), st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")),
                                                            min_size=1), min_size=1))  # fmt: skip
def test_json_lines_give_back_any_questions(tmp_path_factory, queries):
    path = tmp_path_factory.mktemp("queries") / "q.jsonl"
    path.write_text("\n".join(json.dumps({"_id": id, "text": text}) for id, text in queries.items()))
    assert read_queries(path) == {id: text.strip() for id, text in queries.items()}


def beir(folder, *, qrels="query-id\tcorpus-id\tscore\nq1\ta\t1\nq2\tb\t0\n", more=""):
    put(folder, '{"_id": "a", "title": "A", "text": "one"}\n{"_id": "b", "text": ""}\n' + more, "corpus.jsonl")
    put(folder, gzip.compress(b'{"_id": "q2", "text": "two"}\n{"_id": "q1", "text": "one"}\n'), "queries.jsonl.gz")
    put(folder, qrels, "qrels/test.tsv")
    return folder


def test_a_beir_folder(tmp_path):
    found = read_beir(beir(tmp_path))
    assert [(one.id, one.title, one.text) for one in found.documents] == [("a", "A", "one"), ("b", "", "")]
    assert list(found.queries.items()) == [("q2", "two"), ("q1", "one")]
    assert (found.qrels, found.unknown, found.name) == ({"q1": {"a": 1.0}, "q2": {"b": 0.0}}, {}, tmp_path.name)


def test_what_a_beir_folder_lacks_is_counted(tmp_path):
    with pytest.warns(IsoglossWarning, match="2 of 3 judgements left out"):
        found = read_beir(beir(tmp_path, qrels="q1\ta\t1\nq1\tz\t1\nq9\ta\t1\n"))
    assert found.unknown == {"unknown document": 1, "unknown question": 1, "unjudged question": 1}
    assert list(found.queries) == ["q1"]


def test_faults_of_a_beir_folder_are_errors(tmp_path):
    with pytest.raises(CorpusError, match=r"has no qrels/dev\.tsv\nwhy: it has the splits: test"):
        read_beir(beir(tmp_path / "a"), "dev")
    with pytest.raises(CorpusError, match="document ids occur more than once"):
        read_beir(beir(tmp_path / "b", more='{"_id": "a", "text": "again"}\n'))
    with pytest.raises(CorpusError, match="line 3: the text is 7"):
        read_beir(beir(tmp_path / "c", more='{"_id": "c", "text": 7}\n'))
    (beir(tmp_path / "d") / "corpus.jsonl").unlink()
    with pytest.raises(CorpusError, match=r"has no corpus\.jsonl"):
        read_beir(tmp_path / "d")
    with pytest.raises(CorpusError, match="there is no folder"):
        read_beir(tmp_path / "e")


@pytest.mark.parametrize(
    ("name", "split", "sizes"),
    [("cranfield", "test", (1400, 225, 1837)), ("scifact", "test", (5183, 300, 339)),
     ("scifact", "train", (5183, 809, 919)), ("cacm", "test", (3204, 52, 796))],
)  # fmt: skip
def test_real_collections_have_the_sizes_that_their_folders_state(data, name, split, sizes):
    found = read_beir(data(name), split)
    assert (len(found.documents), len(found.queries), sum(map(len, found.qrels.values()))) == sizes
    assert found.unknown == {}
    assert split in splits(data(name))


STS = 'main\tMSRvid\t2012\t0001\t5.000\tA "plane".\tAn air plane.\nmain\tx\t2012\t0004\t3.8\tA man.\tA boy.\ts\tt\n'


def test_pairs_in_all_forms(tmp_path):
    rows = [("A plane.", "An air plane.", 5.0), ("A man.", "A boy.", 3.8)]
    forms = [
        STS.replace('"', "").replace("A plane.", "A plane."),
        "".join(f"{a}\t{b}\t{s}\n" for a, b, s in rows),
        "sentence1,sentence2,score\n" + "".join(f"{a},{b},{s}\n" for a, b, s in rows),
        "\n".join(json.dumps({"a": a, "b": b, "score": s}) for a, b, s in rows),
    ]
    for form in forms:
        found = read_pairs(put(tmp_path, form))
        assert isinstance(found, ScoredPairs)
        assert list(zip(found.left, found.right, found.scores, strict=True)) == rows
        assert found.groups.tolist() == [0, 1]
    assert read_pairs(put(tmp_path, STS)).left[0] == 'A "plane".'


def test_pairs_with_labels_and_groups(tmp_path):
    found = read_pairs(
        put(tmp_path, "question1\tquestion2\tis_duplicate\tdocument\na\tb\t1\tx\nc\td\t0\ty\ne\tf\ttrue\tx\n")
    )
    assert isinstance(found, LabelledPairs)
    assert (found.labels.tolist(), found.groups.tolist()) == ([1, 0, 1], [0, 1, 0])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "no rows"),
        ("a\tb\n", "2 columns"),
        ("a,b,label\nx,y,entailment\n", "the label 'entailment'"),
        ("a\tb\tmuch\n", "line 1: 'much' is no score"),
        ("a\tb\t1\nc\t\t2\n", "line 2: the second text is empty"),
        ("a,b,score\nx,y,nan\n", "line 2: 'nan' is no score"),
        ("a,b,score\nx,y,2\nz,w\n", "line 3: 2 columns"),
        (STS + "main\tx\t2012\t0004\t3.8\tA man.\n", "line 3: 6 columns"),
    ],
)
def test_faults_of_pairs_are_errors(tmp_path, content, said):
    with pytest.raises(CorpusError) as caught:
        read_pairs(put(tmp_path, content))
    assert said in caught.value.what


def test_labelled_texts_in_all_forms(tmp_path):
    for form in ("text,label\nwarm,2\nball,10\ncold,2\n", "warm\t2\nball\t10\ncold\t2\n", "2,warm\n10,ball\n2,cold\n",
                 '{"utterance": "warm", "intent": 2}\n{"utterance": "ball", "intent": 10}\n'
                 '{"utterance": "cold", "intent": 2}'):  # fmt: skip
        found = read_labelled(put(tmp_path, form))
        assert (found.texts, found.labels.tolist(), found.names) == (["warm", "ball", "cold"], [0, 1, 0], ["2", "10"])
    named = read_labelled(put(tmp_path, "a,b\nwarm,x\n"), texts="a", labels="b", names=["z", "x"])
    assert (named.labels.tolist(), named.names) == ([1], ["z", "x"])


@pytest.mark.parametrize(
    ("content", "options", "said"),
    [
        ("text,label\n", {}, "a header and no rows"),
        ("text,label\na,\n", {}, "line 2: the label is ''"),
        ("text,label\n,x\n", {}, "line 2: the text is empty"),
        ("text,label\na,x\nb,y\n", {"names": ["x"]}, "line 3: the label y"),
        ("text,kind,more\na,x,y\n", {}, "3 columns, no header that names label"),
    ],
)
def test_faults_of_labelled_texts_are_errors(tmp_path, content, options, said):
    with pytest.raises(CorpusError) as caught:
        read_labelled(put(tmp_path, content), **options)
    assert said in caught.value.what


def test_texts_with_numbers(tmp_path):
    assert read_scored_texts(put(tmp_path, "text,score\na,0.5\nb,1\n")).targets.tolist() == [0.5, 1.0]
    with pytest.raises(CorpusError, match="line 3: '1,5' is no number"):
        read_scored_texts(put(tmp_path, 'text,score\na,0.5\nb,"1,5"\n'))


def test_real_pairs_and_labels_are_read(data):
    pairs = read_pairs(data("sts-b") / "test.jsonl")
    assert (len(pairs.left), pairs.scores.min(), pairs.scores.max()) == (1379, 0.0, 5.0)
    train = read_labelled(data("banking77") / "train.jsonl.gz")
    test = read_labelled(data("banking77") / "test.jsonl.gz", names=train.names)
    assert (len(train.texts), len(train.names), len(test.texts)) == (10003, 77, 3080)
