"""A static encoder that learns from documents alone: two stretches of one belong together, nobody asked anything."""

from __future__ import annotations

from collections.abc import Sequence

from isogloss.corpus.span_pairs import span_pairs
from isogloss.encoders.static import StaticEncoder, bundled_static
from isogloss.objectives.in_batch import InBatchSoftmax
from isogloss.protocols import Progress
from isogloss.training.static_training import new_static, train_static


def static_from_documents(
    texts: Sequence[str], *, dimensions: int = 256, pairs: int = 30_000, steps: int = 120, seed: int = 0,
    progress: Progress | None = None,
) -> StaticEncoder:  # fmt: skip
    """Train random token vectors on pairs of stretches of documents, and return them as an encoder.

    Contrast of stretches as in Izacard et al. 2022, "Unsupervised Dense Information Retrieval with Contrastive
    Learning" (https://arxiv.org/abs/2112.09118), with a table of vectors for a transformer. Questions, titles and
    labels play no part; the tokens are the bundled WordPiece's, the vectors begin at random.

    Parameters
    ----------
    texts
        Documents of eight words and more.
    dimensions
        Components of a vector.
    pairs, steps
        Pairs that are cut, and batches of 512 of them.
    seed
        Of the vectors, the stretches and the order.
    progress
        Where to report.

    Raises
    ------
    UsageError
        Where no document is long enough.

    Examples
    --------
    With a list of documents::

        encoder = static_from_documents(texts)
        encoder.encode(["a small dog"]).shape  # (1, 256)
    """
    blank = new_static(bundled_static().pieces, dimensions, seed=seed)
    columns = span_pairs(texts, pairs, seed=seed)
    return train_static(blank, columns, InBatchSoftmax(), steps=steps, seed=seed, progress=progress)
