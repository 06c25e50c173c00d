"""Training of static encoders: token vectors moved by what the texts of a batch say about each other."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, TypedDict, Unpack

import numpy as np
import torch

from isogloss.encoders.static import StaticEncoder, TokenVectors
from isogloss.encoders.tokenizer_file import Tokens
from isogloss.errors import UsageError
from isogloss.nn.static import StaticModel
from isogloss.objectives.contract import Objective
from isogloss.protocols import Progress
from isogloss.seeding import generator
from isogloss.training.batching import Ints, TextBatches
from isogloss.training.fine_tuning import encode_together
from isogloss.training.loop import train
from isogloss.training.row_adam import RowAdam
from isogloss.training.stage import Optimiser, Player, Stage
from isogloss.vocabulary.tokenizer_pieces import TokenizerPieces
from isogloss.vocabulary.wordpiece import WordPiece


class StaticTraining(TypedDict, total=False):
    """Further settings of :func:`train_static`.

    Attributes
    ----------
    batch_size
        Items of a batch (512): a step is so cheap that many negatives pay.
    learning_rate
        Highest rate (0.001); it rises over the first tenth of the steps and falls to 0.
    groups
        One id an item, of the document that it comes from: items of one group never share a batch.
    """

    batch_size: int
    learning_rate: float
    groups: Sequence[Hashable] | None


class PieceTokens:
    """Token ids for a static encoder: no special tokens, no window, unknown tokens left out where the encoder does so.

    Parameters
    ----------
    pieces
        The encoder's tokenizer.
    skip
        Token to leave out, -1 for none.

    Examples
    --------
    >>> from isogloss.vocabulary.wordpiece import WordPiece
    >>> [ids.tolist() for ids in PieceTokens(WordPiece(["[UNK]", "a", "b"]))(["a b", "c"]).ids]
    [[1, 2], [0]]
    """

    max_length = 0

    def __init__(self, pieces: WordPiece | TokenizerPieces, skip: int = -1) -> None:
        self.pieces, self.skip = pieces, skip

    def __call__(self, texts: Sequence[str]) -> Tokens:
        """Return the ids of each text."""
        ids, lengths, full = self.flat(texts)
        return Tokens(np.split(ids, np.cumsum(lengths)[:-1]), full, [])

    def flat(self, texts: Sequence[str]) -> tuple[Ints, Ints, Ints]:
        """Return the ids of all texts end to end, and how many each has."""
        found = self.pieces.ids(texts)
        ids, offsets = found.values.astype(np.int64), found.offsets
        if self.skip >= 0:
            kept = ids != self.skip
            ids, offsets = ids[kept], np.concatenate([np.zeros(1, np.int64), np.cumsum(kept)])[offsets]
        return ids, np.diff(offsets), np.diff(offsets)


def train_static(
    base: StaticEncoder,
    columns: Sequence[Sequence[str]],
    objective: Objective,
    *,
    steps: int | None = None,
    epochs: float | None = None,
    labels: Any = None,
    seed: int = 0,
    progress: Progress | None = None,
    **options: Unpack[StaticTraining],
) -> StaticEncoder:
    """Train a static encoder's token vectors and return a new encoder, in float32 and ready to ``save``.

    Tokens are made once; only the vectors of a batch's tokens move, by Adam without decay
    (https://arxiv.org/abs/1412.6980).

    Parameters
    ----------
    base
        Where to begin: :func:`~isogloss.encoders.static.bundled_static`, a loaded one, or :func:`new_static`. It is not
        changed.
    columns, objective, labels
        As of :func:`~isogloss.training.fine_tuning.fine_tune`.
    steps, epochs
        How long: a number of steps, or of passes over the data (by default one).
    seed
        Of the order: the same seed, data and threads give the same vectors.
    progress
        Where to report.
    options
        ``batch_size``, ``learning_rate``, ``groups``: see :class:`StaticTraining`.

    Raises
    ------
    UsageError
        Where the data cannot be trained on, or both ``steps`` and ``epochs`` are given.
    NonFiniteError
        Where a loss is not finite.

    Examples
    --------
    With lists of questions and answers::

        encoder = train_static(bundled_static(), [questions, answers], InBatchSoftmax(), epochs=3)
        encoder.save("my-static-model")
    """
    if steps is not None and epochs is not None:
        raise UsageError("give steps or epochs, not both", f"steps={steps}, epochs={epochs}", "leave one out")
    model = StaticModel(torch.from_numpy(table(base)), finish=base.finish)
    tokens = PieceTokens(base.pieces, base.pieces.unknown if base.skip_unknown else -1)
    batches = TextBatches(
        columns, tokens, batch_size=options.get("batch_size", 512), seed=seed, labels=labels,
        groups=options.get("groups"), no_duplicates=labels is None,
    )  # fmt: skip
    player = Player(
        module=model, objective=objective, forward=encode_together, make_optimiser=sparse_adam,
        optimiser=Optimiser(learning_rate=options.get("learning_rate", 0.001)),
    )  # fmt: skip
    steps = max(1, round(epochs * batches.per_epoch)) if epochs is not None else steps
    train(Stage(batches=batches, players=[player], steps=steps, name="static training"), seed=seed, progress=progress)
    rows = model.table.weight.detach().numpy()
    vectors = TokenVectors(rows, np.ones(len(rows), np.float32))
    return StaticEncoder(
        base.pieces, vectors, finish=base.finish, skip_unknown=base.skip_unknown, name=f"{base.name}-trained",
        languages=base.languages, threads=base.threads,
    )  # fmt: skip


def new_static(pieces: WordPiece | TokenizerPieces, dimensions: int, *, seed: int = 0) -> StaticEncoder:
    """Return an encoder of random token vectors, normal with an expected length of one."""
    drawn = generator(seed, "token vectors").standard_normal((len(pieces), dimensions))
    rows = (drawn / np.sqrt(dimensions)).astype(np.float32)  # (V, d)
    return StaticEncoder(pieces, TokenVectors(rows, np.ones(len(rows), np.float32)), name="static-trained")


def table(encoder: StaticEncoder) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return what each token adds to a sum, ``(V, d)`` float32: rows times weights."""
    rows = encoder.vectors.rows.astype(np.float32)  # a copy, whatever the type
    if not (encoder.vectors.weights == 1).all():
        rows *= encoder.vectors.weights[:, None]
    return rows


def sparse_adam(groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    """Return Adam that moves only the rows of a batch's tokens."""
    return RowAdam(groups)
