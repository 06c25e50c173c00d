"""The int8 quantiser and the estimator contract: hand values, ONNX's QuantizeLinear, scikit-learn's own checks."""

from __future__ import annotations

import sys
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from isogloss import protobuf as pb
from isogloss.errors import IncompatibleError, NotFittedError, UsageError
from isogloss.transforms.estimator import Estimator
from isogloss.transforms.quantization import Int8Quantizer

matrices = hnp.arrays(np.float32, (7, 3), elements=st.floats(-(2.0**60), 2.0**60, width=32))


class Doubler(Estimator):
    """The smallest transform."""

    requires_fit = False

    def __init__(self, *, factor=2.0):
        self.factor = factor

    def transform(self, X):
        return self._output(X, self._matrix(X) * self.factor)


def test_hand_values():
    quantizer = Int8Quantizer().fit([[-2.54, 10.0], [2.54, 10.0]])
    np.testing.assert_allclose(quantizer.step_, [0.02, 1], rtol=1e-6)
    codes = quantizer.transform([[0.0, 10.0], [0.04, 12.4], [-99.0, 9.0]])
    assert codes.dtype == np.int8
    assert codes.tolist() == [[0, 0], [2, 2], [-127, -1]]
    np.testing.assert_allclose(quantizer.inverse_transform(codes)[1], [0.04, 12], rtol=1e-6)
    assert quantizer.clipped([[0.0, 10.0], [0.04, 12.4], [-99.0, 9.0]]) == 1 / 6


def test_codes_are_those_of_onnx():
    runtime = pytest.importorskip("onnxruntime")
    rng = np.random.default_rng(0)
    vectors = (rng.standard_normal((200, 16)) * np.linspace(0.1, 9, 16)).astype(np.float32)
    quantizer = Int8Quantizer(coverage=0.99).fit(vectors)
    graph = pb.model(
        [pb.node("QuantizeLinear", ["x", "step", "zero"], ["y"], axis=1)],
        [pb.value_info("x", "float32", ["n", 16])],
        [pb.value_info("y", "int8", ["n", 16])],
        [pb.initializer("step", quantizer.step_), pb.initializer("zero", np.zeros(16, np.int8))],
    )
    session = runtime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    theirs = np.maximum(session.run(None, {"x": vectors - quantizer.centre_})[0], -127)
    assert (
        theirs != quantizer.transform(vectors)
    ).mean() < 1e-3  # they divide in float32, so a half may fall elsewhere
    assert np.abs(theirs.astype(int) - quantizer.transform(vectors)).max() <= 1
    assert 0.001 < quantizer.clipped(vectors) < 0.02


@given(matrices)
def test_calibration_vectors_move_by_half_a_step_at_most(vectors):
    quantizer = Int8Quantizer().fit(vectors)
    back = quantizer.inverse_transform(quantizer.transform(vectors)).astype(np.float64)
    room = quantizer.step_.astype(np.float64) * 0.5 + np.abs(vectors).max(0) * 1e-6 + 1e-37
    assert (np.abs(back - vectors) <= room).all()
    assert quantizer.clipped(vectors) == 0


@given(matrices)
def test_quantising_twice_changes_nothing(vectors):
    quantizer = Int8Quantizer().fit(np.linspace(-5, 5, 21).reshape(7, 3))
    codes = quantizer.transform(vectors)
    np.testing.assert_array_equal(quantizer.transform(quantizer.inverse_transform(codes)), codes)


def test_the_calibration_is_kept():
    quantizer = Int8Quantizer().fit(np.array([[-1.0], [1.0]]))
    before = quantizer.identity
    assert quantizer.transform([[50.0]]).tolist() == [[127]]
    assert quantizer.identity == before
    assert Int8Quantizer().fit(np.array([[-1.0], [2.0]])).identity != before


@pytest.mark.parametrize("coverage", [0, -1, 1.5])
def test_a_senseless_coverage_is_refused(coverage):
    with pytest.raises(UsageError, match="coverage"):
        Int8Quantizer(coverage=coverage).fit(np.eye(2))


@pytest.mark.parametrize("transform", [Int8Quantizer(), Int8Quantizer(coverage=0.9)])
def test_scikit_learns_checks_pass(transform):
    checks = pytest.importorskip("sklearn.utils.estimator_checks")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = checks.check_estimator(transform, on_skip=None)
    assert len(results) > 40
    assert [one["check_name"] for one in results if one["status"] == "failed"] == []


def test_it_works_in_a_pipeline():
    pipeline = pytest.importorskip("sklearn.pipeline")
    base = pytest.importorskip("sklearn.base")
    both = pipeline.make_pipeline(Int8Quantizer(coverage=0.5), Int8Quantizer())
    assert both.fit_transform(np.arange(12.0).reshape(6, 2)).shape == (6, 2)
    assert base.clone(both).get_params()["int8quantizer-1__coverage"] == 0.5


def test_save_and_load_give_the_same_bits(tmp_path):
    quantizer = Int8Quantizer(coverage=0.75).fit(np.random.default_rng(0).standard_normal((50, 6)))
    quantizer.save(tmp_path / "quantizer.safetensors")
    loaded = Int8Quantizer.load(tmp_path / "quantizer.safetensors")
    assert loaded.get_params() == {"coverage": 0.75}
    assert loaded.identity == quantizer.identity
    np.testing.assert_array_equal(loaded.step_, quantizer.step_)
    assert loaded.transform(np.ones((1, 6))).tolist() == quantizer.transform(np.ones((1, 6))).tolist()
    with pytest.raises(IncompatibleError, match="holds no Doubler"):
        Doubler.load(tmp_path / "quantizer.safetensors")
    with pytest.raises(UsageError, match="is no file"):
        Doubler.load(tmp_path / "nothing")


def test_before_fit_there_is_nothing_to_give(tmp_path):
    for use in (lambda q: q.transform(np.eye(2)), lambda q: q.save(tmp_path / "x"), lambda q: q.identity):
        with pytest.raises(NotFittedError, match="not fitted"):
            use(Int8Quantizer())


@pytest.mark.parametrize(
    ("matrix", "error", "words"),
    [
        (np.ones(3), ValueError, "Reshape your data"),
        (np.ones((0, 2)), ValueError, "0 sample"),
        (np.ones((2, 0)), ValueError, "0 feature"),
        (np.full((2, 2), np.nan), ValueError, "NaN"),
        (np.ones((2, 2), complex), ValueError, "Complex"),
        (np.ones((2, 5)), ValueError, "expecting 2 features"),
    ],
)
def test_wrong_input_is_refused(matrix, error, words):
    quantizer = Int8Quantizer().fit(np.eye(2))
    with pytest.raises(error, match=words):
        quantizer.transform(matrix)


def test_sparse_input_is_refused():
    sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises(TypeError, match="toarray"):
        Int8Quantizer().fit(sparse.eye(3).tocsr())


def test_parameters():
    assert repr(Int8Quantizer(coverage=0.5)) == "Int8Quantizer(coverage=0.5)"
    assert Int8Quantizer().set_params(coverage=0.25).coverage == 0.25
    with pytest.raises(ValueError, match="no parameter 'colour'"):
        Int8Quantizer().set_params(colour=1)
    assert Doubler().fit(np.eye(2)).get_params() == {"factor": 2.0}
    with pytest.raises(ValueError, match="not one of default"):
        Doubler().set_output(transform="paper")


@pytest.mark.parametrize("name", ["pandas", "polars"])
def test_frames_come_back_as_frames(monkeypatch, name):
    """With a stand-in for the library, so that it need not be installed; scikit-learn's checks use the real one."""
    monkeypatch.setitem(sys.modules, name, SimpleNamespace(DataFrame=lambda data, **how: (data, how)))
    quantizer = Int8Quantizer().fit(np.eye(2)).set_output(transform=name)
    codes, how = quantizer.transform(np.eye(2))
    assert codes.tolist() == [[127, -127], [-127, 127]]
    assert list(how.get("columns", how.get("schema"))) == ["int8quantizer0", "int8quantizer1"]
    assert isinstance(quantizer.set_output(transform="default").transform(np.eye(2)), np.ndarray)
    sklearn = pytest.importorskip("sklearn")
    with sklearn.config_context(transform_output=name):
        assert isinstance(Int8Quantizer().fit(np.eye(2)).transform(np.eye(2)), tuple)


def test_columns_of_a_frame_are_remembered():
    frame = type("Frame", (), {"columns": ["a", "b"], "__array__": lambda self, dtype=None, copy=None: np.eye(2)})()
    quantizer = Int8Quantizer().fit(frame)
    assert quantizer.feature_names_in_.tolist() == ["a", "b"]
    assert not hasattr(quantizer.fit(np.eye(2)), "feature_names_in_")
