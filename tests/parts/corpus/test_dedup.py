"""Equal and near-equal texts: hand cases, the exact Jaccard similarity as oracle, brute force for groups."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.corpus.dedup import WORDS, near_groups, normalise_text, similarity, sketch, text_hash
from isogloss.seeding import generator

VOCABULARY = [f"{a}{b}{c}" for a in "bdfgklmn" for b in "aeiou" for c in ("ra", "tin", "so", "ml")]


def passage(rng, words=100):
    return " ".join(rng.choice(VOCABULARY, words))


def changed(rng, text, share):
    words = text.split()
    for at in rng.choice(len(words), int(len(words) * share), replace=False):
        words[at] = str(rng.choice(VOCABULARY))
    return " ".join(words)


def jaccard(a, b):
    first, second = ({t.encode()[i : i + 9] for i in range(len(t.encode()) - 8)} for t in map(normalise_text, (a, b)))
    return len(first & second) / len(first | second)


def test_normalisation_folds_case_width_and_space():
    assert normalise_text(" A\u00a0B\tC\n") == "a b c"
    assert normalise_text("Ｆｕｌｌ ①") == "full 1"
    assert normalise_text("Straße") == normalise_text("STRASSE")
    assert normalise_text("cafe\u0301") == normalise_text("CAFÉ")


@given(st.text())
def test_normalisation_is_stable(text):
    once = normalise_text(text)
    assert normalise_text(once) == once
    assert 0 <= text_hash(text) < 1 << 63
    assert text_hash(text) == text_hash(once)


def test_hashes_are_distinct_and_fixed():
    assert len({text_hash(f"text {i}") for i in range(10_000)}) == 10_000
    assert text_hash("heat") == text_hash("HEAT ")
    assert text_hash("heat") == 1731243437240006223


@given(st.lists(st.text(max_size=120), max_size=20))
def test_kernel_and_numpy_give_the_same_sketches(texts):
    pytest.importorskip("numba")
    assert np.array_equal(sketch(texts, compiled=True), sketch(texts, compiled=False))


def test_threads_and_batches_give_the_same_sketches():
    pytest.importorskip("numba")
    rng = generator(0, "sketch")
    texts = [passage(rng, 20) for _ in range(9000)]
    whole = sketch(texts, compiled=True)
    assert whole.shape == (9000, WORDS)
    assert np.array_equal(whole[8990:], sketch(texts[8990:], compiled=False))


def test_similarity_estimates_jaccard_without_bias():
    rng = generator(0, "jaccard")
    errors, spread = [], []
    for share in (0.02, 0.05, 0.1, 0.2, 0.4):
        for _ in range(40):
            text = passage(rng)
            other = changed(rng, text, share)
            true = jaccard(text, other)
            first, second = sketch([text, other], compiled=False)
            errors.append(similarity(first, second) - true)
            spread.append(true * (1 - true) / 64)
    assert abs(np.mean(errors)) < 0.01
    assert np.mean(np.square(errors)) < 1.5 * np.mean(spread)


def test_error_rates_of_groups():
    """One changed word in a hundred is found always; half the words changed never."""
    rng = generator(0, "groups")
    texts, expected = [], []
    for i in range(300):
        text = passage(rng)
        texts += [text, changed(rng, text, 0.01), changed(rng, text, 0.5)]
        expected += [i, i, -1]
    groups = near_groups(sketch(texts))
    expected = np.array(expected)
    found = groups[0::3] == groups[1::3]
    assert (found & (groups[0::3] >= 0)).mean() > 0.99
    assert (groups[2::3] == -1).all()


def test_groups_equal_brute_force():
    rng = generator(1, "brute")
    texts = [passage(rng, 60) for _ in range(60)]
    texts += [changed(rng, texts[i % 60], share) for i in range(240) for share in [(0.0, 0.03, 0.06, 0.3)[i % 4]]]
    sketches = sketch(texts)
    groups = near_groups(sketches)
    parent = list(range(len(texts)))

    def find(i):
        while parent[i] != i:
            i = parent[i]
        return i

    for i in range(len(texts)):
        alike = np.asarray(similarity(np.repeat(sketches[i : i + 1], i, 0), sketches[:i])) if i else np.zeros(0)
        for j in np.flatnonzero(alike >= 0.8):
            a, b = sorted((find(i), find(j)))
            parent[b] = a
    roots = [find(i) for i in range(len(texts))]
    sizes = {root: roots.count(root) for root in roots}
    order = {root: k for k, root in enumerate(dict.fromkeys(r for r in roots if sizes[r] > 1))}
    assert groups.tolist() == [order.get(root, -1) for root in roots]


def test_short_texts_match_only_their_equals():
    groups = near_groups(
        sketch(["yes", "Yes ", "no", "", "", "the quick brown fox jumps", "the quick brown fox jumpt"])
    )
    assert groups.tolist() == [0, 0, -1, -1, -1, -1, -1]


def test_groups_do_not_depend_on_order():
    rng = generator(2, "order")
    texts = [passage(rng) for _ in range(50)]
    texts += [changed(rng, text, 0.01) for text in texts[:20]]
    sketches = sketch(texts)
    shuffle = rng.permutation(len(texts))
    first, second = near_groups(sketches), near_groups(sketches[shuffle])
    partition = lambda groups, rows: {frozenset(rows[groups == g].tolist()) for g in range(groups.max() + 1)}  # noqa: E731
    assert partition(first, np.arange(len(texts))) == partition(second, shuffle)


def test_edges():
    assert near_groups(np.zeros((0, WORDS), np.uint64)).tolist() == []
    assert sketch([]).shape == (0, WORDS)
    assert near_groups(sketch(["", "a text of its own", ""])).tolist() == [-1, -1, -1]


def test_hundred_thousand_in_a_second():
    rng = generator(3, "large")
    sketches = rng.integers(0, 1 << 63, (100_000, WORDS), dtype=np.uint64)
    sketches[60_000:70_000] = sketches[:10_000]
    sketches[70_000:80_000] = sketches[0]
    start = time.process_time()
    groups = near_groups(sketches)
    assert time.process_time() - start < 1.0
    assert groups.max() + 1 == 10_000
    assert (groups[70_000:80_000] == groups[0]).all()
