"""Skip-gram and CBOW: gensim beside them where nothing is drawn, planted neighbours, runs that repeat."""

from __future__ import annotations

import heapq
import warnings
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.errors import NonFiniteError, UsageError
from isogloss.learners.huffman import huffman_paths
from isogloss.learners.logistic_steps import Tables
from isogloss.learners.skip_gram import Cbow, SkipGram
from isogloss.learners.stochastic import LEAST_RATE, PIECE, Passes, affordable_epochs, run_passes
from isogloss.learners.vocabulary_counts import count_words, keep_probabilities
from isogloss.learners.windows import draw_windows
from isogloss.seeding import generator


def planted(n=400, seed=0):
    """Texts of two topics that share function words: words of one topic have the same neighbours."""
    draw = np.random.default_rng(seed)
    topics = [["cat", "dog", "mouse", "horse"], ["tax", "law", "court", "judge"]]
    texts = []
    for i in range(n):
        topic = topics[i % 2]
        texts.append([word for _ in range(4) for word in ("the", str(draw.choice(topic)), str(draw.choice(topic)))])
    return texts


@pytest.mark.parametrize("learner", [SkipGram, Cbow])
@pytest.mark.parametrize("hierarchical", [False, True])
def test_words_with_the_same_neighbours_come_near(learner, hierarchical):
    table = learner(dimensions=16, window=3, epochs=20, sample=0.0, hierarchical=hierarchical).fit(
        count_words(planted())
    )
    for word, topic in (("cat", {"dog", "mouse", "horse"}), ("tax", {"law", "court", "judge"})):
        assert {near for near, _ in table.nearest(word, 3)} == topic


def test_one_thread_repeats_bit_for_bit_and_the_seed_counts():
    corpus = count_words(planted())
    runs = [SkipGram(dimensions=8, epochs=2).fit(corpus, seed=seed).vectors for seed in (1, 1, 2)]
    assert (runs[0] == runs[1]).all()
    assert (runs[0] != runs[2]).any()


def test_two_threads_learn_the_same_neighbours():
    table = SkipGram(dimensions=16, window=3, epochs=20, sample=0.0).fit(count_words(planted(2000)), threads=2)
    assert {near for near, _ in table.nearest("cat", 3)} == {"dog", "mouse", "horse"}


def test_huffman_tree_against_gensim_and_training_along_it():
    models = pytest.importorskip("gensim.models")
    # sentences of two words, window 1, no noise, no thinning: nothing is drawn but the start
    texts = [["a", "b"], ["c", "a"], ["a", "d"], ["a", "b"], ["b", "a"], ["b", "a"], ["c", "a"]] * 5
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = models.Word2Vec(
            vector_size=6, window=1, min_count=1, sg=1, hs=1, negative=0, sample=0, workers=1, seed=3, alpha=0.05,
            min_alpha=0.05, epochs=1,
        )  # fmt: skip
        theirs.build_vocab(texts)
        theirs.wv.vectors *= 50  # away from 0, where their table of the sigmoid is off by .003
        corpus = count_words(texts, min_count=1)
        start = np.stack([theirs.wv[word] for word in corpus.words]).copy()
        theirs.train(texts, total_examples=len(texts), epochs=1)
    lengths = np.diff(huffman_paths(corpus.counts).offsets)
    assert lengths @ corpus.counts == sum(
        len(theirs.wv.get_vecattr(word, "code")) * count
        for word, count in zip(corpus.words, corpus.counts, strict=True)
    )
    tables = Tables(start.copy(), np.zeros((len(corpus.words), 6), np.float32))
    learner = SkipGram(dimensions=6, window=1, sample=0.0, hierarchical=True)
    learner._work(corpus, tables)(0, len(corpus.ids), 0.05, generator(0))
    moved = np.stack([theirs.wv[word] for word in corpus.words])
    assert np.linalg.norm(moved - start) > 0.1
    drift = np.linalg.norm(moved - tables.inputs) / np.linalg.norm(moved - start)
    assert drift < 0.01


@given(st.lists(st.integers(1, 50), min_size=2, max_size=12))
def test_huffman_codes_are_free_of_prefixes_and_as_short_as_can_be(counts):
    paths = huffman_paths(np.array(counts))
    codes = [tuple(zip(paths.nodes[a:b], paths.turns[a:b], strict=True))
             for a, b in zip(paths.offsets[:-1], paths.offsets[1:], strict=True)]  # fmt: skip
    turns = ["".join(str(int(turn)) for _, turn in code) for code in codes]
    assert not any(a != b and b.startswith(a) for a in turns for b in turns)
    assert sum(2.0 ** -len(code) for code in turns) == 1  # probabilities sum to one
    heap, cost = list(counts), 0  # the sum of all inner nodes is the least cost of any code
    heapq.heapify(heap)
    while len(heap) > 1:
        joined = heapq.heappop(heap) + heapq.heappop(heap)
        cost += joined
        heapq.heappush(heap, joined)
    assert sum(len(code) * count for code, count in zip(turns, counts, strict=True)) == cost


@given(st.lists(st.lists(st.sampled_from("abc"), max_size=7), min_size=2, max_size=4), st.integers(1, 3))
def test_windows_stay_in_their_text_and_reach(texts, window):
    try:
        corpus = count_words(texts, min_count=1)
    except UsageError:
        return
    found = draw_windows(corpus, 0, len(corpus.ids), np.ones(len(corpus.words), np.float32), window, generator(0))
    assert (found.texts[found.centres] == found.texts[found.contexts]).all()
    gaps = np.abs(found.centres - found.contexts)
    assert ((gaps >= 1) & (gaps <= window)).all()
    near = {(i, j) for i in range(len(found.ids)) for j in (i - 1, i + 1)
            if 0 <= j < len(found.ids) and found.texts[i] == found.texts[j]}  # fmt: skip
    assert near <= set(zip(found.centres.tolist(), found.contexts.tolist(), strict=True))


def test_reach_is_even_and_thinning_is_as_frequent_as_it_says():
    corpus = count_words([["a", "b", "c", "d", "e"] * 20_000], min_count=1)
    keep = np.array([0.2, 1, 1, 1, 1], np.float32)
    found = draw_windows(corpus, 0, len(corpus.ids), keep, 4, generator(0))
    assert abs((found.ids == 0).mean() - 0.2 / 4.2) < 0.005
    share = np.bincount(np.abs(found.centres - found.contexts), minlength=5)[1:] / len(found.ids) / 2
    np.testing.assert_allclose(share, [1, 0.75, 0.5, 0.25], atol=0.01)


def test_even_thinning_leaves_as_many_words():
    corpus = count_words(planted())
    frequent, even = (SkipGram(sample=1e-2, thinning=kind).kept(corpus) for kind in ("frequent", "even"))
    assert np.isclose(frequent @ corpus.counts, even @ corpus.counts, rtol=1e-5)
    assert len(set(even.tolist())) == 1
    assert (frequent == keep_probabilities(corpus.counts, 1e-2)).all()


def test_the_rate_falls_and_every_word_is_met():
    seen, rates = [], []

    def work(start, stop, rate, draw):
        seen.append((start, stop))
        rates.append(rate)

    words = 2 * PIECE + 7
    run_passes(work, words, Passes(2, 0.1))
    assert seen == [(0, PIECE), (PIECE, 2 * PIECE), (2 * PIECE, words)] * 2
    assert rates[0] == 0.1
    assert all(a > b >= 0.1 * LEAST_RATE for a, b in pairwise(rates))


def test_a_budget_becomes_epochs_that_repeat_the_run():
    corpus = count_words(planted())
    made = SkipGram(dimensions=8).fit(corpus, 0.05, seed=4)
    assert 1 <= made.epochs <= 100
    assert (SkipGram(dimensions=8, epochs=made.epochs).fit(corpus, seed=4).vectors == made.vectors).all()
    assert affordable_epochs(lambda *_: None, 10, 60.0) == 100


def test_an_interruption_comes_through_and_bad_settings_are_said():
    class Stop:
        def start(self, what, total, unit):
            pass

        def advance(self, amount):
            raise KeyboardInterrupt

        def finish(self):
            pass

    for threads in (1, 2):
        with pytest.raises(KeyboardInterrupt):
            SkipGram(dimensions=4).fit(count_words(planted()), threads=threads, progress=Stop())
    for bad in ({"dimensions": 0}, {"window": 0}, {"negatives": 0}, {"epochs": 0}, {"thinning": "odd"}):
        with pytest.raises(UsageError):
            SkipGram(**bad).fit(count_words(planted()))
    with pytest.raises(NonFiniteError, match="not finite"):
        SkipGram(dimensions=4, learning_rate=1e30, epochs=30).fit(count_words(planted()))
