"""A linear classifier that learns batch by batch, and forgets: the usual head of a continual learner without replay."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from isogloss.errors import NotFittedError, UsageError
from isogloss.seeding import generator


class LinearHead:
    """Softmax regression by stochastic gradient descent, one ``partial_fit`` a task, without replay.

    Parameters
    ----------
    classes
        Number of classes, known from the start (a single head).
    rate
        Step size.
    epochs, batch
        Passes over the vectors of one call; vectors a step.
    seed
        Of the order.

    Attributes
    ----------
    weights_, intercepts_
        ``(d, classes)`` and ``(classes,)``.

    Examples
    --------
    >>> x, y = np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([0, 1])
    >>> LinearHead(2).partial_fit(x, y).predict(x).tolist()
    [0, 1]
    """

    def __init__(self, classes: int, *, rate: float = 1.0, epochs: int = 20, batch: int = 32, seed: int = 0) -> None:
        if classes < 2:
            raise UsageError("a classifier needs two classes", f"{classes} given")
        self.classes, self.rate, self.epochs, self.batch, self.seed = classes, rate, epochs, batch, seed
        self.weights_: NDArray[np.float64] | None = None
        self.intercepts_: NDArray[np.float64] = np.zeros(classes)
        self._calls = 0

    def partial_fit(self, vectors: NDArray[Any], labels: NDArray[np.int64]) -> Self:
        """Take ``epochs`` passes of gradient steps over vectors ``(n, d)`` and labels ``(n,)``; returns self."""
        x, y = np.asarray(vectors, np.float64), np.asarray(labels, np.int64)
        if len(x) != len(y) or (len(y) and not 0 <= y.min() <= y.max() < self.classes):
            raise UsageError("vectors and labels do not match", f"{len(x)} vectors, labels up to {y.max(initial=0)}")
        weights = np.zeros((x.shape[1], self.classes)) if self.weights_ is None else self.weights_
        rng = generator(self.seed, "linear head", self._calls)
        for _ in range(self.epochs):
            order = rng.permutation(len(x))
            for start in range(0, len(x), self.batch):
                some = order[start : start + self.batch]
                error = self._probabilities(x[some], weights)  # (b, d) -> (b, classes)
                error[np.arange(len(some)), y[some]] -= 1
                weights -= self.rate / len(some) * (x[some].T @ error)  # (d, b) @ (b, classes) -> (d, classes)
                self.intercepts_ -= self.rate / len(some) * error.sum(0)
        self.weights_ = weights
        self._calls += 1
        return self

    def predict(self, vectors: NDArray[Any]) -> NDArray[np.int64]:
        """Return the class of each vector, ``(n,)``."""
        if self.weights_ is None:
            raise NotFittedError("this head has learned nothing yet", "", "call partial_fit() first")
        return np.asarray((np.asarray(vectors, np.float64) @ self.weights_ + self.intercepts_).argmax(1), np.int64)

    def _probabilities(self, x: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        logits = x @ weights + self.intercepts_
        soft = np.exp(logits - logits.max(1, keepdims=True))
        return np.asarray(soft / soft.sum(1, keepdims=True))
