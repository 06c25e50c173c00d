"""Hard negatives: rules by hand, against sentence-transformers' miner, and properties that no draw may break."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.arrays import Similarity
from isogloss.encoders.lexical import WordEncoder
from isogloss.errors import CorpusError, UsageError
from isogloss.mining.candidates import VectorSource, find_candidates, source_of
from isogloss.mining.false_negatives import judged_by_rule
from isogloss.mining.hard_negatives import LABELLED, Pairs, mine_hard_negatives
from isogloss.mining.judging import judged_rows, read_judgements, rows_to_judge, write_rows
from isogloss.mining.rules import Limits
from isogloss.seeding import generator

CORPUS = ["warm slab", "hot slab", "a warm slab of metal", "WARM  slab", "tide", "moon"]
SCORES = [0.9, 0.88, 0.8, 0.9, 0.4, -0.2]


def line(scores):
    """A source whose one query has these cosines with the corpus."""
    documents = np.array([[score, np.sqrt(1 - score**2)] for score in scores], np.float32)
    return VectorSource(np.array([[1.0, 0.0]], np.float32), documents)


def mined(limits=None, **settings):
    pairs = Pairs(queries=["heat?"], positives=np.array([0]), corpus=CORPUS, **settings.pop("about", {}))
    return mine_hard_negatives(pairs, [line(SCORES)], limits=limits or Limits(), **settings)


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        (Limits(), [1, 2, 4, 5]),
        (Limits(relative=0.05), [2, 4, 5]),  # at most .855
        (Limits(margin=0.3), [4, 5]),  # at most .6
        (Limits(most=0.85, least=0.0), [2, 4]),
        (Limits(first=5), [4, 5]),  # the positive and its copy have ranks 1 and 2
    ],
)
def test_limits_by_hand(limits, expected):
    assert mined(limits, per_query=9).negatives == [expected]


def test_every_rule_counts_what_it_rejects():
    found = mined(Limits(relative=0.05, last=5), about={"labelled": {0: [2]}}, per_query=1)
    counts = found.counts()
    assert counts["rank"] == {"candidates": 4, "rejected": 0, "kept": 4}  # five ranks, one is the positive itself
    assert counts["relative margin"] == {"candidates": 4, "rejected": 2, "kept": 2}  # .88 and the copy at .9
    assert counts[LABELLED] == {"candidates": 2, "rejected": 1, "kept": 1}
    assert found.negatives == [[4]]
    assert CORPUS[found.found.row[found.blind][0]] == "a warm slab of metal"  # what nobody's label would have stopped


def test_copies_of_the_positive_and_of_the_query_are_dropped():
    long = "the slab was heated for nine hours and then left to cool in the open air of the hall until the evening"
    corpus = [long, long.replace("nine", "ten"), long.upper(), "heat?", "something else altogether, about the tide"]
    pairs = Pairs(queries=["heat?"], positives=np.array([0]), corpus=corpus)
    found = mine_hard_negatives(pairs, [line([0.9, 0.5, 0.6, 0.7, 0.1])], per_query=5)
    rejected = {name: one["rejected"] for name, one in found.counts().items()}
    assert found.negatives == [[4]]
    assert rejected["equals the positive"] == rejected["equals the query"] == rejected["nearly the positive"] == 1
    kept = mine_hard_negatives(pairs, [line([0.9, 0.5, 0.6, 0.7, 0.1])], per_query=5, near=None)
    assert kept.negatives == [[1, 4]]


def test_other_passages_of_the_same_document_are_no_negatives():
    found = mined(about={"groups": ["a", "a", "b", "b", "a", "c"]}, per_query=9)
    assert found.negatives == [[2, 5]]
    assert found.counts()["the positive's document"]["rejected"] == 2


def test_a_better_judge_is_asked_once_a_query_and_only_about_what_is_left():
    asked = []

    def judge(query, documents):
        asked.append((query, documents))
        return [1.0 if "slab" in text else 0.0 for text in documents]

    found = mined(Limits(relative=0.05), check=judge, check_margin=0.5, per_query=9)
    assert found.negatives == [[4, 5]]
    assert asked == [("heat?", ["warm slab", "a warm slab of metal", "tide", "moon"])]
    with pytest.raises(UsageError, match="scorer"):
        mined(check=lambda query, documents: [float("nan")] * len(documents))


def test_random_sampling_repeats_by_seed_and_takes_every_free_candidate_equally_often():
    corpus = [f"text {i}" for i in range(11)]
    pairs = Pairs(queries=["q"], positives=np.array([0]), corpus=corpus)
    source = line(np.linspace(0.9, 0.1, 11))

    def draw(seed):
        return mine_hard_negatives(pairs, [source], sampling="random", per_query=2, seed=seed).negatives[0]

    assert draw(3) == draw(3)
    counts = np.bincount([row for seed in range(500) for row in draw(seed)], minlength=11)
    assert counts[0] == 0
    assert (np.abs(counts[1:] - 100) < 45).all()  # five standard deviations


def test_no_text_becomes_a_negative_of_one_pair_twice():
    pairs = Pairs(queries=["q"], positives=np.array([0]), corpus=["right", "other", "other", "third"])
    assert mine_hard_negatives(pairs, [line([0.9, 0.5, 0.5, 0.1])], per_query=3).negatives == [[1, 3]]


def test_words_propose_and_score_too():
    encoder = WordEncoder()
    corpus = ["heat flows in metal", "heat flows in water", "the tide", "bread"]
    source = source_of(encoder.encode(["heat in metal"]), encoder.encode(corpus))
    found = find_candidates([source], np.array([0]), 4)
    assert found.row.tolist() == [1]  # the others share no word with the query
    assert 0 < found.score[0] < found.positive[0]
    vectors = line([0.9, 0.5, 0.6, 0.7])
    both = find_candidates([vectors, source], np.array([0]), 3)
    assert both.row.tolist() == [3, 2, 1]  # words add row 1, which the three nearest vectors lack
    assert both.rank.tolist() == [2, 3, 2]
    np.testing.assert_allclose(both.score, [0.7, 0.6, 0.5], atol=1e-6)  # all by the first source


def _theirs(queries, positives, corpus, vectors, **settings):
    """Negatives by sentence-transformers' miner over the same vectors."""
    pytest.importorskip("datasets")
    sentence_transformers = pytest.importorskip("sentence_transformers")
    import torch
    from datasets import Dataset
    from tokenizers import Tokenizer, models, pre_tokenizers

    names = [*queries, *corpus]
    tokenizer = Tokenizer(models.WordLevel({name: i for i, name in enumerate(names)}, unk_token=names[0]))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    from sentence_transformers.models import StaticEmbedding

    module = StaticEmbedding(tokenizer, embedding_weights=vectors)
    model = sentence_transformers.SentenceTransformer(modules=[module], device="cpu")
    rows = Dataset.from_dict({"query": queries, "positive": [corpus[row] for row in positives]})
    with torch.no_grad():
        found = sentence_transformers.util.mine_hard_negatives(
            rows, model, corpus=list(corpus), range_min=0, range_max=len(corpus), output_format="labeled-list",
            verbose=False, **settings,
        )  # fmt: skip
    return {
        row["query"]: [text for text, label in zip(*list(row.values())[1:], strict=True) if not label] for row in found
    }


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("settings", [{}, {"relative": 0.2}, {"margin": 0.15, "most": 0.6}, {"least": 0.0}])
def test_as_the_miner_of_sentence_transformers(settings):
    random = generator(0, "miner")
    queries, corpus = [f"q{i}" for i in range(12)], [f"d{i}" for i in range(40)]
    vectors = random.standard_normal((52, 6)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    positives = np.array([int(np.argsort(-vectors[12:] @ vectors[i])[2]) for i in range(12)])
    names = {"relative": "relative_margin", "margin": "absolute_margin", "most": "max_score", "least": "min_score"}
    theirs = _theirs(
        queries, positives, corpus, vectors, num_negatives=3, **{names[name]: value for name, value in settings.items()}
    )
    pairs = Pairs(queries=queries, positives=positives, corpus=corpus)
    ours = mine_hard_negatives(
        pairs, [VectorSource(vectors[:12], vectors[12:], Similarity.COSINE)], limits=Limits(**settings), per_query=3
    )
    full = {query: [corpus[row] for row in rows] for query, rows in zip(queries, ours.negatives, strict=True)}
    assert len(theirs) >= 5
    # theirs leaves out queries with too few negatives
    assert {query: full[query] for query in theirs} == theirs
    assert all(len(full[query]) < 3 for query in full if query not in theirs)


@given(
    seed=st.integers(0, 10_000), relative=st.floats(0, 0.5), last=st.integers(1, 30), count=st.integers(1, 4),
    sampling=st.sampled_from(["top", "random"]),
)  # fmt: skip
def test_no_negative_breaks_a_rule(seed, relative, last, count, sampling):
    random = generator(seed, "property")
    vectors = random.standard_normal((30, 4)).astype(np.float32)
    corpus = [f"t{random.integers(25)}" for _ in range(24)]
    positives = random.integers(0, 24, 6)
    labelled = {0: [int(random.integers(24))]}
    pairs = Pairs(queries=[f"q{i}" for i in range(6)], positives=positives, corpus=corpus, labelled=labelled)
    source = VectorSource(vectors[:6], vectors[6:])
    limits = Limits(relative=relative, last=last)
    found = mine_hard_negatives(pairs, [source], limits=limits, per_query=count, sampling=sampling, seed=seed)
    for i, rows in enumerate(found.negatives):
        own = source.scores(np.full(24, i), np.arange(24))
        positive = own[positives[i]]
        assert len({corpus[row] for row in rows}) == len(rows) <= count
        for row in rows:
            assert corpus[row] != corpus[positives[i]]
            assert own[row] <= positive - relative * abs(positive) + 1e-6
            assert (own > own[row] + 1e-6).sum() < last
            assert row not in labelled.get(i, [])
    counts = list(found.counts().values())
    assert all(a["kept"] == b["candidates"] for a, b in pairwise(counts))
    assert counts[-1]["kept"] == int((found.reason < 0).sum())


def test_right_answers_are_counted_by_rule_and_bounded():
    found = mined(Limits(relative=0.05), about={"labelled": {0: [1, 2]}}, per_query=2)
    told = {one.name: one for one in judged_by_rule(found, {0: [1, 2]}, {0: [4]}, len(CORPUS))}
    assert told["candidates"].found == 2
    assert (told["candidates"].unjudged, told["candidates"].bounds) == (2, (0.4, 0.8))  # rows 3 and 5 of five
    assert (told["rejected by relative margin"].found, told["left by relative margin"].found) == (1, 1)
    assert (told["negatives"].total, told["negatives"].found) == (2, 1)  # rows 2 and 4, had nobody labelled
    complete = judged_by_rule(found, {0: [1, 2]}, {}, len(CORPUS), complete=True)[-1]
    assert (len(complete.right), complete.unjudged) == (2, 0)


def test_a_file_to_judge_goes_out_and_comes_back(tmp_path):
    found = mined(Limits(relative=0.05), per_query=9)
    pairs = Pairs(queries=["heat?"], positives=np.array([0]), corpus=CORPUS)
    rows = rows_to_judge(found, pairs, kept=2, rejected=1)
    assert [row["stratum"] for row in rows] == ["kept", "kept", "relative margin"]
    path = tmp_path / "judge.jsonl"
    write_rows(path, rows, "settings")
    with pytest.raises(CorpusError, match="no judgement"):
        read_judgements(path)
    rows[0]["relevant"], rows[1]["relevant"] = True, 0
    write_rows(path, rows, "settings")
    judged, settings = read_judgements(path)
    right, wrong, strange = judged_rows(judged, pairs)
    assert settings == "settings"
    assert [CORPUS[row] for row in right[0]] == [rows[0]["document"]]
    assert [CORPUS[row] for row in wrong[0]] == [rows[1]["document"]]
    assert strange == 0


@pytest.mark.parametrize(
    "line", ['{"query": "a"}', "no json", '{"query": "a", "document": "b", "relevant": "yes"}', "[1]"]
)
def test_a_broken_file_of_judgements_is_said(tmp_path, line):
    path = tmp_path / "judge.jsonl"
    path.write_text('{"query": "a", "document": "b", "relevant": true}\n' + line + "\n")
    with pytest.raises(CorpusError, match=r"line 2|judgement"):
        read_judgements(path)


@pytest.mark.parametrize(
    "settings", [{"first": 0}, {"first": 3, "last": 2}, {"margin": -1.0}, {"relative": 1.5}, {"most": float("nan")}]
)
def test_limits_that_make_no_sense(settings):
    with pytest.raises(UsageError):
        Limits(**settings)


def test_pairs_that_make_no_sense():
    for queries, positives, corpus in ([[], [], ["a"]], [["q"], [3], ["a"]], [["q"], [0, 0], ["a"]]):
        with pytest.raises(UsageError):
            Pairs(queries=queries, positives=np.array(positives, np.int64), corpus=corpus)
    with pytest.raises(UsageError, match="chosen"):
        mined(per_query=0)
    with pytest.raises(UsageError, match="mined"):
        find_candidates([], np.array([0]), 3)
