"""The shared surface of encoders: roles, probes, transforms behind an encoder."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.arrays import CSR, Similarity
from isogloss.encoders.surface import EncoderSurface, as_texts, transform_identity
from isogloss.errors import UsageError
from isogloss.protocols import PROBE_TEXTS, Encoder, EncodeReport


class Letters(EncoderSurface):
    """Counts a few letters; asks are kept."""

    similarity = Similarity.COSINE
    identity = "letters"
    name = "letters"
    window = 7
    languages = frozenset({"en"})
    speed = "fast"

    def __init__(self):
        self.asked = []

    def encode(self, inputs, *, role=None, instruction=None, report=None):
        texts = as_texts(inputs)
        self.asked.append((role, instruction, len(texts)))
        if report is not None:
            report.add(texts=len(texts), tokens=sum(map(len, texts)))
        return np.array([[t.count(c) for c in "aeio"] for t in texts], np.float32).reshape(-1, 4)


class Words(Letters):
    def encode(self, inputs, *, role=None, instruction=None, report=None):
        return CSR.fromcsr(pytest.importorskip("scipy.sparse").csr_matrix(np.eye(2, dtype=np.float32)))


class Scale:
    """The smallest fitted transform."""

    def __init__(self, factor=1.0):
        self.factor = factor
        self.mean_ = np.full(4, factor)

    def get_params(self, deep=True):
        return {"factor": self.factor}

    def set_params(self, **params):
        return self

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        if not len(X):
            raise ValueError("0 samples")
        return X * self.factor + self.mean_


class Signs(Scale):
    similarity = Similarity.HAMMING

    def transform(self, X):
        return (X > 0).astype(np.uint8)


class Steps:
    """A pipeline as scikit-learn has it."""

    def __init__(self, *steps):
        self.steps = [(f"step{i}", step) for i, step in enumerate(steps)]


def test_roles_and_instructions_reach_encode():
    encoder = Letters()
    assert isinstance(Letters(), Encoder)
    encoder.encode_query("one", instruction="find")
    encoder.encode_document(["one", "two"])
    assert encoder.asked == [("query", "find", 1), ("document", None, 2)]
    assert encoder.modality == "text"
    assert dict(encoder.heads) == {}


def test_probes_are_encoded_once_as_documents():
    encoder = Letters()
    assert encoder.probes is encoder.probes
    assert encoder.asked == [("document", None, len(PROBE_TEXTS))]


def test_then_transforms_and_reports():
    encoder, report = Letters(), EncodeReport()
    both = encoder.then(Scale(2.0)).then(Scale(3.0))
    vectors = both.encode(["a e", "io"], role="query", report=report)
    assert vectors.tolist() == [[15, 15, 9, 9], [9, 9, 15, 15]]  # ((x * 2 + 2) * 3 + 3)
    assert vectors.dtype == np.float32
    assert report.to_dict()["texts"] == 2
    assert encoder.asked[-1][0] == "query"
    assert both.encode([]).shape == (0, 4)
    assert (both.name, both.window, both.languages, both.dimensions) == ("letters+scale+scale", 7, {"en"}, 4)
    assert both.similarity is Similarity.COSINE
    assert encoder.then() is encoder


def test_a_transform_may_declare_a_similarity_and_integers():
    signs = Letters().then(Signs())
    assert signs.similarity is Similarity.HAMMING
    assert signs.encode("a").dtype == np.uint8


@given(st.lists(st.floats(-9, 9), min_size=1, max_size=5), st.data())
def test_then_is_associative(factors, data):
    steps = [Scale(f) for f in factors]
    cut = data.draw(st.integers(0, len(steps)))
    encoder = Letters()
    flat = encoder.then(*steps)
    nested = encoder.then(*steps[:cut]).then(Steps(*steps[cut:])) if cut < len(steps) else encoder.then(Steps(*steps))
    deep = encoder.then(Steps(Steps(*steps[:cut]), Steps(*steps[cut:])))
    assert nested.identity == flat.identity == deep.identity
    assert np.array_equal(nested.encode("aei"), flat.encode("aei"))


def test_identity_depends_on_everything_learnt():
    a, b = Scale(1.0), Scale(1.0)
    assert Letters().then(a).identity == Letters().then(b).identity != Letters().identity
    b.mean_ = b.mean_ + 1e-9
    assert transform_identity(a) != transform_identity(b)
    assert transform_identity(a) != transform_identity(Signs(1.0))
    assert Letters().then(a, Scale(2.0)).identity != Letters().then(Scale(2.0), a).identity


def test_clear_errors():
    with pytest.raises(UsageError, match="item 1 is of type int"):
        as_texts(["a", 5])
    with pytest.raises(UsageError, match="letters gives CSR"):
        Words().then(Scale()).encode("a")
