"""Tasks that learn from a training part: classification, probing, regression, tagging, against mteb and by hand."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.arrays import Ragged, Similarity
from isogloss.corpus.examples import LabelledTexts, ScoredTexts, Splits, TaggedSentences
from isogloss.errors import IsoglossError, IsoglossWarning, UsageError
from isogloss.evaluation.datasets.load import task_data
from isogloss.evaluation.metrics.tagging import entities, tags
from isogloss.evaluation.tasks import classification, probing, regression, tagging


class Table:
    """An encoder that looks vectors up: those of the words of a text, added."""

    similarity = Similarity.COSINE

    def __init__(self, width=24, seed=0, signal=None, scale=1.0):
        self.width, self.seed, self.signal, self.scale, self.known = width, seed, signal or {}, scale, {}

    def word(self, word):
        if word not in self.known:
            found = np.random.default_rng([self.seed, *word.encode()]).normal(size=self.width)
            self.known[word] = (found + self.signal.get(word, 0)) * self.scale
        return self.known[word]

    def encode(self, inputs, *, role=None, instruction=None, report=None):
        found = np.array([sum((self.word(word) for word in text.split()), np.zeros(self.width)) for text in inputs])
        return (found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-9)).astype(np.float32)


class States(Table):
    """The same with a vector for each token; words are cut into tokens of three characters, at most ``window``."""

    window = 10_000

    def states(self, inputs, layers):
        vectors, spans = [], []
        for text in inputs:
            places, start = [(0, 0)], 0
            for word in text.split(" "):
                places += [(start + cut, min(start + cut + 3, start + len(word))) for cut in range(0, len(word), 3)]
                start += len(word) + 1
            places = places[: self.window]
            vectors.append(np.array([self.word(text[a:b]) for a, b in places], np.float32)[:, None])
            spans.append(np.array(places, np.int64))
        return Ragged.from_list(vectors), Ragged.from_list(spans)


def texts(rows, names=("cold", "warm")):
    return LabelledTexts([text for text, _ in rows], np.array([label for _, label in rows]), list(names))


WEATHER = Splits({
    "train": texts([(f"{w} day {i}", y) for i in range(20) for w, y in (("ice", 0), ("sun", 1))]),
    "test": texts([(f"{w} night {i}", y) for i in range(15) for w, y in (("ice", 0), ("sun", 1))]),
})  # fmt: skip


def by_mteb(encoder, data, **settings):
    """MTEB's own scores of a classification task with our texts and our vectors."""
    from datasets import Dataset, DatasetDict
    from mteb.abstasks.classification import AbsTaskClassification
    from mteb.timing import TimingStack

    class Task(AbsTaskClassification):
        metadata = type(
            "M", (), {"name": "ours", "main_score": "accuracy", "eval_splits": ["test"], "modalities": ["text"]}
        )()

        def __init__(self):
            self.seed, self.rng_state = 42, None
            self.__dict__.update(settings)

    parts = DatasetDict({
        part: Dataset.from_dict({"text": found.texts, "label": found.labels.tolist()})
        for part, found in data.parts.items()
    })  # fmt: skip
    task, scores, asked = Task(), [], encoder.encode(data["test"].texts)
    order = None
    for number in range(task.n_experiments):
        _, order, chosen = task._undersample_data(parts["train"], number, order)
        x = encoder.encode([data["train"].texts[row] for row in chosen])
        scores.append(task._run_experiment(
            parts["train"].select(chosen), parts["test"], x, asked, TimingStack()
        )[0])  # fmt: skip
    return task._calculate_avg_scores(scores)


@pytest.mark.parametrize("settings", [{}, {"samples_per_label": 16, "n_experiments": 3}])
def test_few_shot_scores_equal_those_of_mteb_on_the_same_vectors(data, settings):
    data("trec-questions")
    found, encoder = task_data("trec-questions"), Table(64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = by_mteb(encoder, found, **settings)
    own = {"per_label": settings.get("samples_per_label", 8), "experiments": settings.get("n_experiments", 10)}
    ours = classification.run(encoder, found, name="trec", **own).scores()
    assert ours["accuracy"] > 0.3  # chance is .17
    for metric, value in ours.items():
        assert value == pytest.approx(theirs[metric], abs=1e-9), metric


def test_two_labels_give_the_average_precision_of_mteb():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = by_mteb(Table(4), WEATHER)
    ours = classification.run(Table(4), WEATHER, name="weather").scores()
    assert ours["ap"] == pytest.approx(theirs["ap"], abs=1e-9)
    assert 0.5 < ours["accuracy"] <= 1


@pytest.mark.slow
def test_banking77_equals_mteb(data):
    data("banking77")
    found, encoder = task_data("banking77"), Table(64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = by_mteb(encoder, found)
    ours = classification.run(encoder, found, name="banking77").scores()
    # random vectors of words bring near ties: in float32 the order of a sum may decide one of the 30,800 predictions
    assert max(abs(value - theirs[metric]) for metric, value in ours.items()) < 1e-4


@given(st.lists(st.integers(0, 4), min_size=1, max_size=60), st.integers(1, 5), st.integers(0, 9))
def test_a_draw_has_each_label_as_often_as_it_can(labels, per_label, seed):
    labels = np.array(labels)
    for draw in classification.undersampled(labels, 3, per_label, seed):
        assert len(set(draw.tolist())) == len(draw)
        wanted = np.minimum(np.bincount(labels, minlength=5), per_label)
        assert np.array_equal(np.bincount(labels[draw], minlength=5), wanted)


def test_all_texts_and_neighbours():
    full = classification.run_full(Table(), WEATHER, name="weather")
    near = classification.run_neighbours(Table(), WEATHER, name="weather", k=3)
    for result in (full, near):
        assert result.scores()["accuracy"] == 1.0
        assert (result.main, result.details["training"], result.details["majority"]) == ("accuracy", 40, 0.5)
    test = WEATHER["test"]
    flipped = Splits({**WEATHER.parts, "test": LabelledTexts(test.texts, 1 - test.labels, test.names)})
    assert classification.run_full(Table(), flipped, name="weather").scores()["accuracy"] == 0.0


def test_sparse_vectors_serve_too():
    from isogloss.encoders.lexical import WordEncoder

    for measure in (classification.run, classification.run_full, classification.run_neighbours, probing.run):
        assert measure(WordEncoder(), WEATHER, name="weather").scores()["accuracy"] == 1.0


def test_parts_that_do_not_fit_are_errors():
    with pytest.raises(UsageError, match="the task needs a part test"):
        classification.run(Table(), Splits({"train": WEATHER["train"]}), name="x")
    bad = Splits({"train": WEATHER["train"], "test": texts([("a", 2)], ("cold", "warm", "odd"))})
    with pytest.raises(IsoglossError, match="1 labels of the test part have no training text\nwhy: such as odd"):
        classification.run(Table(), bad, name="x")
    with pytest.raises(IsoglossError, match="the part test is empty"):
        classification.run(Table(), Splits({"train": WEATHER["train"], "test": texts([])}), name="x")


def test_a_data_set_without_a_training_part_is_an_error(data):
    data("wikigold")
    with pytest.raises(UsageError, match="has no training part for tagging"):
        task_data("wikigold")


def test_task_data_pairs_the_parts_of_one_view(data):
    data("trec-questions")
    fine = task_data("trec-questions", "classification", "fine")
    assert (len(fine["train"].texts), len(fine["test"].texts), len(fine["train"].names)) == (5452, 500, 50)
    assert len(task_data("trec-questions")["train"].names) == 6
    data("sst")
    assert len(task_data("sst", None, "sst5.test")["train"].texts) == 8544
    data("probing-ewt")
    assert len(task_data("probing-ewt", "probing", "tree_depth")["train"].texts) == 2000
    data("sts-b")
    assert len(task_data("sts-b").scores) == 1379


def test_probing_tells_a_property_from_memory():
    found = probing.run(Table(), WEATHER, name="weather", controls=8)
    scores = found.scores()
    # the label is that of the first word: the control task is as easy, nothing is selective
    assert scores["accuracy"] == scores["control_accuracy"] == 1.0
    assert scores["selectivity"] == 0.0
    names = [f"w{i}" for i in range(60)]
    rows = [(f"{name} {'ice' if i % 2 else 'sun'} thing", 1 - i % 2) for i, name in enumerate(names)]
    apart = Splits({"train": texts(rows[:40]), "test": texts(rows[40:])})
    scores = probing.run(Table(48, signal={"ice": 3.0}), apart, name="apart", controls=8).scores()
    assert scores["accuracy"] == 1.0
    assert scores["control_accuracy"] < 0.8
    assert scores["selectivity"] == pytest.approx(scores["accuracy"] - scores["control_accuracy"])


@given(st.lists(st.sampled_from(["a b", "A c", "d", "e f", ""]), min_size=2), st.integers(0, 99))
def test_control_labels_follow_the_first_word(found, seed):
    drawn = probing.control_labels(found, np.array([3, 3, 5]), seed, 0)
    firsts = [(text.split() or [""])[0].lower() for text in found]
    assert len({(first, label) for first, label in zip(firsts, drawn.tolist(), strict=True)}) == len(set(firsts))
    assert set(drawn.tolist()) <= {3, 5}
    assert len(set(firsts)) < 2 or set(drawn.tolist()) == {3, 5}


def test_regression_equals_mteb_on_the_same_vectors():
    from mteb.abstasks.regression import AbsTaskRegression
    from sklearn.linear_model import LinearRegression

    random = np.random.default_rng(0)
    parts = {}
    for part, count in (("train", 120), ("test", 60)):
        lines = [f"w{random.integers(30)} w{random.integers(30)}" for _ in range(count)]
        parts[part] = ScoredTexts(lines, Table(5, 9).encode(lines).sum(1) + 0.1 * random.normal(size=count))
    found = regression.run(Table(5, 9), Splits(parts), name="sums")
    model = LinearRegression().fit(Table(5, 9).encode(parts["train"].texts).astype(float), parts["train"].targets)
    predicted = model.predict(Table(5, 9).encode(parts["test"].texts))
    theirs = AbsTaskRegression._calculate_scores(None, parts["test"].targets, predicted)
    for metric, value in theirs.items():
        assert found.scores()[metric] == pytest.approx(value, abs=1e-6), metric
    assert found.scores()["spearman"] > 0.8
    constant = Splits({**parts, "train": ScoredTexts(["a", "b"], np.ones(2))})
    with pytest.raises(IsoglossError, match="the training numbers are constant"):
        regression.run(Table(5), constant, name="x")


def test_entities_as_conlleval_counts_them():
    # both ways of writing; a B parts neighbours of one type; a change of type parts them too
    assert entities(["I-PER", "I-PER", "O", "B-LOC", "I-LOC"]) == [(0, 2, "PER"), (3, 5, "LOC")]
    assert entities(["I-PER", "B-PER", "I-LOC"]) == [(0, 1, "PER"), (1, 2, "PER"), (2, 3, "LOC")]
    assert entities(["O", "O"]) == []
    true = [["B-PER", "I-PER", "O"], ["B-LOC", "O", "B-LOC"], ["O"]]
    found = tags([["B-PER", "O", "O"], ["B-LOC", "O", "B-ORG"], ["B-ORG"]], true)
    scores = {name: sample.value() for name, sample in found.items()}
    # of four found one is right, of three wanted one is found; four of seven tags are right
    assert scores == pytest.approx({"accuracy": 4 / 7, "f1": 2 / 7, "precision": 1 / 4, "recall": 1 / 3})
    assert set(tags([["NOUN"]], [["NOUN"]])) == {"accuracy"}
    with pytest.raises(IsoglossError, match="do not pair up"):
        tags([["O"]], [["O", "O"]])


TAG = st.sampled_from(["O", "B-A", "I-A", "B-B", "I-B"])
SENTENCES = st.lists(st.lists(TAG, min_size=1, max_size=8), min_size=1, max_size=5)


@given(SENTENCES)
def test_the_truth_itself_is_perfect_and_weights_repeat_sentences(true):
    found = tags(true, true)
    assert found["accuracy"].value() == 1.0
    if any(entities(sentence) for sentence in true):
        assert found["f1"].value() == 1.0
    wrong = [["O"] * len(sentence) for sentence in true]
    weights = np.arange(1, len(true) + 1)
    repeated = [sentence for sentence, count in zip(true, weights, strict=True) for _ in range(count)]
    flat = [sentence for sentence, count in zip(wrong, weights, strict=True) for _ in range(count)]
    for metric, sample in tags(wrong, true).items():
        assert sample.at(weights[None].astype(float))[0] == pytest.approx(tags(flat, repeated)[metric].value())


SENTENCE = [f"xx{i} lives in yy{i} now" for i in range(30)]
NER = Splits({
    part: TaggedSentences([text.split() for text in found], [["B-PER", "O", "O", "B-LOC", "O"] for _ in found])
    for part, found in (("train", SENTENCE), ("test", SENTENCE[::-1]))
})  # fmt: skip


def test_tagging_learns_from_states_or_from_words_alone():
    for encoder, context in ((Table(128), False), (States(128), True)):
        found = tagging.run(encoder, NER, name="ner")
        assert found.details["context"] is context
        assert found.main == "f1"
        assert found.scores()["f1"] > 0.9
        assert found.details["training_words"] == 150
    quiet = States(128, scale=1e-3)  # vectors a thousand times as short hold the same
    assert tagging.run(quiet, NER, name="ner").scores() == tagging.run(States(128), NER, name="ner").scores()
    assert tagging.run(Table(), NER, name="ner", most=52).details["training_words"] == 50


def test_words_beyond_the_window_get_the_most_frequent_tag_and_are_counted():
    encoder = States()
    encoder.window = 4  # the first word takes one or two tokens, the second two: the third is reached by short ones
    with pytest.warns(IsoglossWarning, match="lie beyond the window"):
        found = tagging.run(encoder, NER, name="ner")
    assert found.details["words_cut"] == 180
    assert found.scores()["f1"] < 0.9


def test_word_vectors_are_means_of_their_tokens():
    states = np.array([[9.0, 9], [1, 0], [3, 0], [5, 1]])
    vectors, known = tagging.word_means(["abcd", "e", "f"], states, np.array([[0, 0], [0, 3], [3, 4], [5, 6]]))
    assert vectors.tolist() == [[2.0, 0.0], [5.0, 1.0], [0.0, 0.0]]
    assert known.tolist() == [True, True, False]


@pytest.mark.slow
def test_minilm_tags_names_in_real_news(data, minilm):
    import isogloss

    data("conll2003")
    found = task_data("conll2003")
    small = Splits({
        part: TaggedSentences(one.words[:600], one.tags[:600]) for part, one in found.parts.items()
    })  # fmt: skip
    result = tagging.run(isogloss.load_encoder(str(minilm)), small, name="conll2003", layer=3)
    assert result.details["words_cut"] == 0
    assert result.scores()["f1"] > 0.4
    assert result.scores()["accuracy"] > 0.88
