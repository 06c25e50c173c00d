"""What a stage trains, whatever its kind: a transformer or a table of token vectors, by one set of handles."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from isogloss.encoders.names import find_model, is_static, load_encoder
from isogloss.encoders.static import StaticEncoder, TokenVectors
from isogloss.errors import UnsupportedModelError
from isogloss.nn.static import StaticModel
from isogloss.protocols import Encoder
from isogloss.training.fine_tuning import encode_together, prompts_of
from isogloss.training.models import load_trainable
from isogloss.training.saving import save_trainable, write_aside
from isogloss.training.stage import Forward
from isogloss.training.static_training import PieceTokens, sparse_adam, table
from isogloss.training.trained_encoder import TrainedEncoder

BUNDLED = "static"
"""Name of the static model that comes with the package."""

STEP = 0.04
"""Usual highest rate of a static model, as a share of the mean size of its numbers: a step of Adam is as large as the
rate, whatever the numbers are. For the bundled model that is 0.0003."""


@dataclass(slots=True)
class Trainee:
    """A model to be trained.

    Attributes
    ----------
    module
        Whose parameters move.
    tokenizer
        For :class:`~isogloss.training.batching.TextBatches`.
    encoder
        Gives the model as it is now as an encoder.
    save
        Writes it into a folder with the text of its card.
    forward
        From module and batch to vectors.
    learning_rate, batch_size
        The usual highest rate, and the usual number of items a step.
    precisions
        What it can be computed in.
    make_optimiser
        Where AdamW will not do.
    prompts
        From a number of columns to the text in front of each.
    """

    module: nn.Module
    tokenizer: Any
    encoder: Callable[[], Encoder]
    save: Callable[[Path, str], Any]
    forward: Forward = encode_together
    learning_rate: float = 2e-5
    batch_size: int = 64
    precisions: tuple[str, ...] = ("bf16", "fp32")
    make_optimiser: Callable[[list[dict[str, Any]]], torch.optim.Optimizer] | None = None
    prompts: Callable[[int], list[str]] = lambda columns: [""] * columns
    _start: dict[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._start = self.weights()

    @property
    def start(self) -> Mapping[str, Tensor]:
        """The weights that training began with."""
        return self._start

    def weights(self) -> dict[str, Tensor]:
        """Return a copy of the weights as they are now."""
        return {name: value.detach().clone() for name, value in self.module.state_dict().items()}


def trainee(name: str, *, max_length: int | None = None) -> Trainee:
    """Load a model to be trained: a sentence-transformers folder, or a static model.

    Parameters
    ----------
    name
        Name or folder.
    max_length
        Longest text in tokens; None for the model's own. A static model has no such limit.

    Raises
    ------
    UnsupportedModelError
        Where the model cannot be trained.

    Examples
    --------
    >>> model = trainee("static")
    >>> model.encoder().encode(["a small dog"]).shape
    (1, 256)
    """
    if name == BUNDLED or is_static(find_model(name)):
        return _static(name)
    loaded = load_trainable(name, max_length=max_length)

    def save(folder: Path, card: str) -> None:
        save_trainable(loaded, folder, card=card)

    return Trainee(
        loaded.model, loaded.tokenizer, lambda: TrainedEncoder.of(loaded), save,
        prompts=lambda columns: prompts_of(loaded, columns),
    )  # fmt: skip


def _static(name: str) -> Trainee:
    base = load_encoder(name)
    if not isinstance(base, StaticEncoder):
        raise UnsupportedModelError(f"{name} cannot be trained", f"it is a {type(base).__name__}")
    model = StaticModel(torch.from_numpy(table(base)), finish=base.finish)
    tokens = PieceTokens(base.pieces, base.pieces.unknown if base.skip_unknown else -1)

    def encoder() -> StaticEncoder:
        rows = model.table.weight.detach().numpy().copy()
        vectors = TokenVectors(rows, np.ones(len(rows), np.float32))
        return StaticEncoder(
            base.pieces, vectors, finish=base.finish, skip_unknown=base.skip_unknown, name=f"{base.name}-trained",
            languages=base.languages, threads=base.threads,
        )  # fmt: skip

    def save(folder: Path, card: str) -> None:
        write_aside(folder, lambda partial: encoder().save(partial, card=card))

    return Trainee(
        model, tokens, encoder, save, learning_rate=_rate(model.table.weight), batch_size=512, precisions=("fp32",),
        make_optimiser=sparse_adam,
    )  # fmt: skip


def _rate(rows: Tensor) -> float:
    """Return the usual rate of token vectors ``(V, d)``; where all are zero there is no size to go by."""
    return STEP * float(rows.detach().abs().mean()) or 1e-3
