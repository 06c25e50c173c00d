"""Clustering, word similarity and analogies: by hand, by brute force, against scikit-learn and mteb."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.arrays import Similarity, normalise
from isogloss.corpus.examples import Analogies, LabelledTexts, ScoredPairs
from isogloss.errors import IsoglossError, IsoglossWarning
from isogloss.evaluation.tasks import analogies, clustering, word_similarity


class Known:
    """An encoder with a vector for some texts, zeros for others."""

    similarity = Similarity.COSINE

    def __init__(self, vectors):
        self.vectors = {text: np.asarray(vector, np.float32) for text, vector in vectors.items()}
        self.nothing = np.zeros_like(next(iter(self.vectors.values())))

    def encode(self, inputs, *, role=None, instruction=None, report=None):
        return np.array([self.vectors.get(text, self.nothing) for text in inputs])


def groups(spread, n=300, k=6, seed=0):
    random = np.random.default_rng(seed)
    labels = random.integers(k, size=n)
    vectors = random.normal(size=(k, 16))[labels] + spread * random.normal(size=(n, 16))
    names = [f"text {number}" for number in range(n)]
    return Known(dict(zip(names, vectors, strict=True))), LabelledTexts(names, labels, [str(one) for one in range(k)])


def test_clear_groups_are_found_and_noise_is_not():
    encoder, data = groups(0.01)
    result = clustering.run(encoder, data, name="clear", experiments=5)
    # single starts may merge two groups: the mean over starts is high, not 1
    assert result.scores()["v_measure"] > 0.9
    assert (result.main, result.details["labels"], result.details["experiments"]) == ("v_measure", 6, 5)
    _, shuffled = groups(0.01, seed=1)
    assert clustering.run(encoder, shuffled, name="noise", experiments=2).scores()["v_measure"] < 0.15
    again = clustering.run(encoder, data, name="clear", experiments=5)
    assert again.scores() == result.scores()


def test_scores_agree_with_the_protocol_of_mteb():
    from sklearn.cluster import MiniBatchKMeans
    from sklearn.metrics import v_measure_score

    encoder, data = groups(0.9, n=800, k=8)
    x = encoder.encode(data.texts)
    theirs = []
    for seed in range(30):
        model = MiniBatchKMeans(8, batch_size=500, n_init="auto", random_state=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs.append(v_measure_score(data.labels, model.fit(x).labels_))
    result = clustering.run(encoder, data, name="blobs", experiments=30)
    noise = np.hypot(result.details["deviation"], np.std(theirs)) / np.sqrt(30)
    difference = result.scores()["v_measure"] - np.mean(theirs)
    # Lloyd's iterations are not worse than mini-batches, and not by much better
    assert -4 * noise < difference < 0.05


def test_each_experiment_is_measured_as_scikit_learn_does():
    from sklearn.metrics import v_measure_score

    items = np.random.default_rng(0).integers(4, size=(50, 4))
    theirs = np.mean([v_measure_score(items[:, 0], items[:, column]) for column in range(1, 4)])
    from isogloss.evaluation.metrics.clustering import v_measure

    ours = clustering.mean_of(items, np.ones((1, 50)), aggregate=v_measure)
    assert float(ours[0]) == pytest.approx(theirs, abs=1e-12)


def test_large_sets_are_drawn_and_single_labels_refused():
    encoder, data = groups(0.1)
    result = clustering.run(encoder, data, name="draw", experiments=1, most=100)
    assert (result.details["texts"], result.details["left_out"]) == (100, 200)
    with pytest.raises(IsoglossError, match="clusters need two labels"):
        clustering.run(encoder, LabelledTexts(data.texts, np.zeros(300, int), ["a"]), name="one")


WORDS = Known({"king": [1, 0], "queen": [1, 0.2], "car": [0, 1], "bus": [0.1, 1]})
PAIRS = ScoredPairs(
    ["king", "king", "car", "car", "king"], ["queen", "car", "bus", "yak", "bus"],
    np.array([9.0, 1.0, 8.5, 5.0, 1.5]), np.arange(5),
)  # fmt: skip


def test_unknown_words_are_counted_and_charged_apart():
    from scipy.stats import spearmanr

    with pytest.warns(IsoglossWarning, match="1 of 5 pairs hold a word without a vector"):
        result = word_similarity.run(WORDS, PAIRS, name="words")
    cosines = [1 / np.sqrt(1.04), 0.0, 1 / np.sqrt(1.01), 0.1 / np.sqrt(1.01)]
    assert result.scores()["spearman"] == pytest.approx(spearmanr(cosines, [9, 1, 8.5, 1.5]).statistic)
    charged = spearmanr([*cosines[:3], 0.0, cosines[3]], PAIRS.scores).statistic
    assert result.scores()["spearman_all"] == pytest.approx(charged)
    assert (result.details["unknown_share"], result.details["words"], result.details["words_unknown"]) == (
        pytest.approx(0.2), 5, 1,
    )  # fmt: skip
    with pytest.raises(IsoglossError, match="it knows both words of 0 of 5 pairs"):
        word_similarity.run(Known({"other": [1, 1]}), PAIRS, name="words")


ROYAL = Known({
    "man": [1, 0, 0], "woman": [1, 1, 0], "king": [1, 0, 1], "queen": [1, 1, 1], "car": [0, 0, -1], "girl": [0.2, 1, 0],
})  # fmt: skip


def test_analogies_by_hand():
    rows = [("man", "woman", "king", "queen"), ("man", "king", "woman", "queen"), ("man", "woman", "king", "girl"),
            ("man", "woman", "king", "unknown")]  # fmt: skip
    with pytest.warns(IsoglossWarning, match="1 of 4 analogies"):
        result = analogies.run(ROYAL, Analogies(rows, ["a", "a", "b", "b"]), name="royal")
    assert result.scores() == pytest.approx({"accuracy": 2 / 3, "accuracy_mul": 2 / 3})
    assert result.details["sections"] == {"a": 1.0, "b": 0.0}
    assert result.samples["accuracy"].groups.tolist() == [1, 0, 1] or result.samples["accuracy"].groups.tolist() == [
        0,
        1,
        0,
    ]
    with pytest.raises(IsoglossError, match="knows no row"):
        analogies.run(Known({"x": [1.0]}), Analogies(rows, ["a"] * 4), name="royal")


def test_a_larger_vocabulary_makes_it_harder():
    rival = Known({**ROYAL.vectors, "rival": [1, 1.01, 1.01]})
    rows = Analogies([("man", "woman", "king", "queen")], ["a"])
    assert analogies.run(rival, rows, name="x").scores()["accuracy"] == 1.0
    assert analogies.run(rival, rows, name="x", vocabulary=["rival"]).scores()["accuracy"] == 0.0


@given(st.integers(0, 2**32 - 1))
def test_answers_are_those_of_brute_force(seed):
    random = np.random.default_rng(seed)
    x = normalise(random.normal(size=(9, 4)).astype(np.float32))
    rows = np.array([random.permutation(9)[:4] for _ in range(6)])
    allowed = random.random(9) > 0.2
    allowed[rows[0, 3]] = True
    added, multiplied = analogies.answers(x, rows, allowed)
    y = x.astype(np.float64)
    for row, add, multiply in zip(rows, added, multiplied, strict=True):
        a, b, c = y[row[:3]]
        free = [place for place in range(9) if allowed[place] and place not in row[:3]]
        if not free:
            continue
        sums = {place: y[place] @ (b - a + c) for place in free}
        half = {place: (1 + y[place] @ b) * (1 + y[place] @ c) / ((1 + y[place] @ a) + 0.002) for place in free}
        assert sums[int(add)] == pytest.approx(max(sums.values()), abs=1e-5)
        assert half[int(multiply)] == pytest.approx(max(half.values()), abs=1e-4)


@pytest.mark.slow
def test_static_vectors_on_real_words(data):
    import isogloss
    from isogloss.evaluation.datasets.load import load

    data("word-similarity")
    data("analogies-words")
    encoder = isogloss.load_encoder("static")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", IsoglossWarning)
        assert (
            word_similarity.run(encoder, load("word-similarity", part="men-tr-3k"), name="men").scores()["spearman"]
            > 0.3
        )
        assert analogies.run(encoder, load("analogies-words"), name="google").scores()["accuracy"] > 0.1
