"""A classifier of texts in kilobytes: few features, each a few bytes, after fastText.zip."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from isogloss.encoders.static import read_arrays, write_arrays
from isogloss.errors import UsageError
from isogloss.learners.averaged_ngrams import AveragedNgrams
from isogloss.transforms.product_codes import ProductQuantizer

Keep = Literal["cover", "norm"]
_PART = 2


def kept_features(model: AveragedNgrams, texts: Sequence[str], k: int, keep: Keep = "cover") -> NDArray[np.int64]:
    """Return the numbers of ``k`` features to keep, ascending.

    ``"norm"``: those whose rows are longest. ``"cover"``: going through the texts, the longest feature of each text
    that has none so far; then the longest of the rest. Where texts need more than ``k``, what came first is kept.

    Source: Joulin et al. 2016, "FastText.zip: Compressing text classification models"
    (https://arxiv.org/abs/1612.03651), section 3.
    """
    lengths = np.linalg.norm(model.rows_, axis=1)
    order = np.argsort(-lengths, kind="stable")
    if keep == "norm":
        return np.sort(order[:k])
    offsets, places = model.features(texts)
    chosen = np.zeros(len(lengths), np.bool_)
    count = 0
    for start, stop in pairwise(offsets):
        own = places[start:stop]
        if count >= k or not len(own) or chosen[own].any():
            continue
        chosen[own[np.argmax(lengths[own])]] = True
        count += 1
    rest = order[~chosen[order]][: k - count]
    chosen[rest] = True
    return np.flatnonzero(chosen)


class CompressedClassifier:
    """A classifier whose features are few, and whose rows are product codes with a code of their length.

    Made by :func:`compressed`; predicts as the classifier with the rows that the codes stand for.

    Parameters
    ----------
    arrays
        ``keys`` of the features, ``codes (F, parts)`` and ``lengths (F,)`` as bytes, ``centres``, ``steps`` and
        ``outputs``.
    ngrams
        Words of the longest run.
    """

    def __init__(self, arrays: dict[str, NDArray[Any]], *, ngrams: int) -> None:
        self.arrays, self.ngrams = arrays, ngrams
        codes, centres = arrays["codes"].view(np.uint8), arrays["centres"]
        parts = [centres[part, codes[:, part]] for part in range(len(centres))]
        rows = np.concatenate(parts, axis=1) * arrays["steps"][arrays["lengths"].view(np.uint8)][:, None]
        model = AveragedNgrams(dimensions=rows.shape[1], ngrams=ngrams)
        model.keys_, model.rows_ = np.asarray(arrays["keys"]), np.ascontiguousarray(rows, np.float32)
        model.outputs_ = np.asarray(arrays["outputs"], np.float32)
        self.model = model

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays, as they lie in the file."""
        return sum(int(array.nbytes) for array in self.arrays.values())

    def predict(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Return the number of the likeliest class of each text, ``(n,)``."""
        return self.model.predict(texts)

    def save(self, file: str | Path) -> None:
        """Write one safetensors file."""
        write_arrays(Path(file), self.arrays, {"ngrams": str(self.ngrams)})

    @classmethod
    def load(cls, file: str | Path) -> CompressedClassifier:
        """Read what ``save`` wrote; a file that is not whole is a ``ModelError``."""
        arrays, about = read_arrays(Path(file))
        return cls(dict(arrays), ngrams=int(about["ngrams"]))


def compressed(
    model: AveragedNgrams,
    texts: Sequence[str],
    labels: NDArray[np.int64],
    *,
    features: int = 10_000,
    keep: Keep = "cover",
    retrain: bool = True,
    lengths_apart: bool = True,
    seed: int = 0,
) -> CompressedClassifier:
    """Prune a classifier, code its rows, and learn its classes' vectors anew over the coded rows.

    Rows are divided by their length, cut into pairs of numbers, and each pair becomes one of 256 centres; the length
    becomes one of 256 values of its own (Joulin et al. 2016, https://arxiv.org/abs/1612.03651).

    Parameters
    ----------
    model
        Fitted; of an even number of dimensions, and with more than 256 features.
    texts, labels
        On which it was fitted.
    features, keep
        As in :func:`kept_features`.
    retrain
        Learn the classes' vectors anew.
    lengths_apart
        Code lengths by themselves; otherwise rows as they are.
    seed
        Of the centres.

    Raises
    ------
    UsageError
        Where too few features are kept for 256 centres, or dimensions are odd.
    """
    kept = kept_features(model, texts, features, keep)
    rows = model.rows_[kept]
    if len(kept) < 256 or rows.shape[1] % _PART:
        why = f"{len(kept):,} features of {rows.shape[1]} components"
        raise UsageError("rows cannot be coded", why, "keep 256 or more, of an even number of components")
    lengths = np.linalg.norm(rows, axis=1)
    scale = np.where(lengths > 0, lengths, 1)[:, None] if lengths_apart else np.ones((len(rows), 1))
    coder = ProductQuantizer(slices=rows.shape[1] // _PART, seed=seed).fit((rows / scale).astype(np.float32))
    steps = ProductQuantizer(slices=1, seed=seed).fit(scale.astype(np.float32)) if lengths_apart else None
    arrays: dict[str, NDArray[Any]] = {
        "keys": model.keys_[kept],
        "codes": coder.transform((rows / scale).astype(np.float32)).view(np.int8),
        "lengths": (
            steps.transform(scale.astype(np.float32))[:, 0].view(np.int8) if steps else np.zeros(len(rows), np.int8)
        ),
        "centres": np.asarray(coder.centres_, np.float32),
        "steps": np.asarray(steps.centres_[0, :, 0], np.float32) if steps else np.ones(1, np.float32),
        "outputs": model.outputs_,
    }
    plain = CompressedClassifier(arrays, ngrams=model.ngrams)
    if not retrain:
        return plain
    again = model.with_rows(plain.model.keys_, plain.model.rows_).refit_outputs(texts, labels)
    return CompressedClassifier(arrays | {"outputs": again.outputs_}, ngrams=model.ngrams)
