"""The small estimator contract that all transforms share: parameters, validation, fitted state, files.

It follows scikit-learn's conventions ("API design for machine learning software: experiences from the
scikit-learn project", Buitinck et al. 2013, https://arxiv.org/abs/1309.0238) without importing scikit-learn,
which would cost every search a second; scikit-learn's own checks run on each transform in the tests.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import sys
from abc import ABC, abstractmethod
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from isogloss.errors import IncompatibleError, NotFittedError, UsageError
from isogloss.transforms.blocks import blocks


class Estimator(ABC):
    """Parameters, input checks and stored state of a transform.

    A transform sets each constructor argument as an attribute of the same name and nothing else, learns
    in ``fit`` attributes that end with ``_`` (arrays and numbers only), and calls ``_matrix`` on every
    input and ``_output`` on every result. It gets ``get_params``, ``set_params``, ``set_output``,
    ``get_feature_names_out``, ``fit_transform``, ``identity``, ``save`` and ``load``.
    """

    preserves_dtype: ClassVar[tuple[str, ...]] = ("float64", "float32")
    """Types that ``transform`` keeps; empty where it always gives a type of its own."""

    requires_fit: ClassVar[bool] = True

    n_features_in_: int

    @classmethod
    def _names(cls) -> list[str]:
        return sorted(name for name in inspect.signature(cls).parameters)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the constructor's parameters; ``deep`` changes nothing, parameters are plain values."""
        return {name: getattr(self, name) for name in self._names()}

    def set_params(self, **params: Any) -> Self:
        """Set constructor parameters and return self; an unknown name is a ``ValueError``."""
        known = self._names()
        for name, value in params.items():
            if name not in known:
                raise ValueError(
                    f"{type(self).__name__} has no parameter {name!r}; it has {', '.join(known) or 'none'}"
                )
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={value!r}" for name, value in self.get_params().items())
        return f"{type(self).__name__}({given})"

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import Tags, TargetTags, TransformerTags  # only scikit-learn itself calls this

        return Tags(
            estimator_type="transformer",
            target_tags=TargetTags(required=False),
            transformer_tags=TransformerTags(preserves_dtype=list(self.preserves_dtype)),
            requires_fit=self.requires_fit,
        )

    def __sklearn_is_fitted__(self) -> bool:
        return not self.requires_fit or "n_features_in_" in vars(self)

    def _check_fitted(self) -> None:
        if not self.__sklearn_is_fitted__():
            raise NotFittedError(f"this {type(self).__name__} is not fitted yet", "", "call fit() with vectors first")

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn from ``X (n, d)`` and return self; here only the width is learnt."""
        self._matrix(X, reset=True)
        return self

    @abstractmethod
    def transform(self, X: Any) -> Any:
        """Return the transformed rows; each transform gives its own."""

    def fit_transform(self, X: Any, y: Any = None) -> Any:
        """Fit on ``X (n, d)``, then return the transformed ``X``."""
        return self.fit(X, y).transform(X)

    def _matrix(self, X: Any, *, reset: bool = False) -> NDArray[Any]:
        """Return ``X`` as a finite float32 or float64 matrix (other numbers become float64).

        ``reset=True`` (in ``fit``) learns the number of columns; else it must be the one learnt.
        """
        if not reset:
            self._check_fitted()
        matrix = _finite_matrix(X)
        if reset:
            self._learn_columns(X, matrix.shape[1])
        elif matrix.shape[1] != self.n_features_in_:
            raise ValueError(
                f"X has {matrix.shape[1]} features, but {type(self).__name__} is expecting "
                f"{self.n_features_in_} features as input."
            )
        return matrix

    @staticmethod
    def checked(X: Any) -> NDArray[Any]:
        """Return ``X`` as a finite float32 or float64 matrix, or say what is wrong with it."""
        return _finite_matrix(X)

    def _coordinates(self, X: Any) -> NDArray[Any]:
        """Return ``X``, results of ``transform`` given back, as a finite matrix of that width."""
        self._check_fitted()
        matrix = _finite_matrix(X)
        if matrix.shape[1] != self._width_out():
            raise ValueError(
                f"X has {matrix.shape[1]} columns, but transform of this {type(self).__name__} gives "
                f"{self._width_out()}; inverse_transform takes what transform gave"
            )
        return matrix

    def _learn_columns(self, X: Any, width: int) -> None:
        self.n_features_in_ = width
        names = getattr(X, "columns", None)
        vars(self).pop("feature_names_in_", None)
        if names is not None and all(isinstance(name, str) for name in names):
            self.feature_names_in_ = np.asarray(list(names), object)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """Return a name for each output column: the class name in lower case and a number."""
        self._check_fitted()
        width = int(self._width_out())
        return np.asarray([f"{type(self).__name__.lower()}{i}" for i in range(width)], object)

    def _width_out(self) -> int:
        return self.n_features_in_

    def set_output(self, *, transform: str | None = None) -> Self:
        """Choose the form of results: ``"default"`` (arrays), ``"pandas"`` or ``"polars"``; None changes nothing."""
        if transform not in (None, "default", "pandas", "polars"):
            raise ValueError(f"transform output {transform!r} is not one of default, pandas, polars")
        if transform is not None:
            self._sklearn_output_config = {"transform": transform}
        return self

    def _output(self, X: Any, result: NDArray[Any]) -> Any:
        """Return ``result`` in the form that ``set_output`` (or scikit-learn's global setting) asks for."""
        chosen = getattr(self, "_sklearn_output_config", {}).get("transform")
        if chosen is None and "sklearn" in sys.modules:
            chosen = sys.modules["sklearn"].get_config()["transform_output"]
        if chosen not in ("pandas", "polars"):
            return result
        names = self.get_feature_names_out()
        frames: Any = import_module(chosen)  # the caller's own package, never a dependency of ours
        if chosen == "pandas":
            return frames.DataFrame(result, columns=names, index=getattr(X, "index", None))
        return frames.DataFrame(result, schema=list(names), orient="row")

    def _state(self) -> dict[str, NDArray[Any]]:
        learnt = {name: value for name, value in sorted(vars(self).items()) if name[-1] == "_" and name[0] != "_"}
        learnt.pop("feature_names_in_", None)
        # safetensors writes memory as it lies, so a transposed array must be laid out anew
        return {name: np.array(value, order="C") for name, value in learnt.items()}

    @property
    def identity(self) -> str:
        """Hash of the class, its parameters and everything learnt; equal transforms have equal ones."""
        self._check_fitted()
        digest = hashlib.blake2b(digest_size=16)
        digest.update(json.dumps([type(self).__name__, self.get_params()], sort_keys=True, default=str).encode())
        for name, value in self._state().items():
            digest.update(f"{name} {value.dtype.str} {value.shape}".encode())
            digest.update(value.tobytes())
        return digest.hexdigest()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted transform to ``path``, one safetensors file; ``load`` gives it back bit for bit."""
        from safetensors.numpy import save_file

        self._check_fitted()
        header = {"transform": type(self).__name__, "parameters": json.dumps(self.get_params(), sort_keys=True)}
        save_file(self._state(), os.fspath(path), metadata=header)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Return the transform that ``save`` wrote; a file of another class is an ``IncompatibleError``."""
        from safetensors import safe_open

        if not Path(path).is_file():
            raise UsageError(
                "the transform cannot be read", f"{os.fspath(path)} is no file", "give the file save() wrote"
            )
        with safe_open(os.fspath(path), framework="numpy") as stored:
            header = stored.metadata() or {}
            if header.get("transform") != cls.__name__:
                raise IncompatibleError(
                    f"{os.fspath(path)} holds no {cls.__name__}",
                    f"it holds {header.get('transform', 'something else')}",
                    "load it with the class that saved it",
                )
            made = cls(**json.loads(header["parameters"]))
            for name in stored.keys():  # noqa: SIM118  (safe_open is no mapping)
                value = stored.get_tensor(name)
                setattr(made, name, value.item() if value.ndim == 0 else value)
        return made


def _finite_matrix(X: Any) -> NDArray[Any]:
    if hasattr(X, "tocsr"):
        raise TypeError("sparse vectors are given, but this transform needs dense ones; use X.toarray()")
    matrix = np.asarray(X)
    if matrix.dtype.kind == "c":
        raise ValueError("Complex data not supported: vectors are real numbers")
    if matrix.dtype not in (np.float32, np.float64):
        matrix = matrix.astype(np.float64)
    if matrix.ndim != 2:
        raise ValueError(
            f"Expected 2D array, got {matrix.ndim}D array instead. Reshape your data: X.reshape(-1, 1) for a single "
            "feature, X.reshape(1, -1) for a single sample."
        )
    for axis, name in enumerate(("sample", "feature")):
        if matrix.shape[axis] < 1:
            raise ValueError(f"Found array with 0 {name}(s) (shape={matrix.shape}) while a minimum of 1 is required.")
    if not all(np.isfinite(matrix[part]).all() for part in blocks(len(matrix))):
        raise ValueError("Input X contains NaN or infinity (inf); remove these rows first")
    return matrix
