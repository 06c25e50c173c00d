"""Plain texts alone: an encoder that learns to put a text into one vector, or to fill in its words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict, Unpack

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from isogloss.arrays import Ragged
from isogloss.nn.bottleneck_decoder import BottleneckAutoencoder
from isogloss.nn.packing import pack
from isogloss.nn.sentence import SentenceModel
from isogloss.nn.tied_decoder import Blind, TiedDecoder
from isogloss.objectives.contract import Objective
from isogloss.objectives.masked import MaskedLanguageModelling
from isogloss.objectives.reconstruction import BottleneckReconstruction, reconstruct
from isogloss.objectives.token_targets import predict_judged, token_losses
from isogloss.seeding import derive
from isogloss.training.corpus_batches import MaskedBatches
from isogloss.training.corpus_tokens import sentences, token_ids
from isogloss.training.denoising_batches import Deletion, DenoisingBatches
from isogloss.training.loop import train
from isogloss.training.masked_model import MaskedModel, hiding
from isogloss.training.stage import Batches, Forward, Optimiser, Player, Stage


class PlainText(TypedDict, total=False):
    """Settings of training on plain texts.

    Attributes
    ----------
    steps
        How many (100).
    batch_size
        Texts of a batch (8).
    learning_rate
        Highest rate (3e-5); it rises over the first tenth of the steps and falls to 0.
    longest
        Tokens of a text, marks included (64); the rest is left out.
    table
        Move the token table, too (true); else it stays at rest, and a step costs less.
    """

    steps: int
    batch_size: int
    learning_rate: float
    longest: int
    table: bool


def autoencoded(
    base: MaskedModel, texts: Sequence[str], *, deleted: float = 0.6, blind: bool = False, seed: int = 0,
    **options: Unpack[PlainText],
) -> MaskedModel:  # fmt: skip
    """Train an encoder to give vectors from which its own layers write the text again, words left out before reading.

    "TSDAE: Using Transformer-based Sequential Denoising Auto-Encoder for Unsupervised Sentence Embedding Learning"
    (https://arxiv.org/abs/2104.06979): the log loss of every token given those before it and the vector ``z`` of the
    damaged text, ``-sum_t log p(x_t | x_<t, z)``; encoder and decoder share all weights.

    Parameters
    ----------
    base
        A masked language model of BERT's shape with its head; its weights are changed in place.
    texts
        Plain texts.
    deleted
        Share of the tokens that the encoder does not see.
    blind
        The decoder gets nought instead of the vector: the control.
    seed
        Of order and deletions.
    options
        ``steps``, ``batch_size``, ``learning_rate``, ``longest``, ``table``: see :class:`PlainText`.

    Raises
    ------
    UnsupportedModelError
        Where the model cannot be its own decoder.

    Examples
    --------
    With a masked base model of the Lab::

        encoder = autoencoded(base.fresh(), ["How do I mount a disk?", ...], steps=100)
    """
    rows, marks = _rows(base, texts, options.get("longest", 64))
    noise = Deletion(share=deleted, special=marks)
    batches = DenoisingBatches(
        rows, noise, batch_size=options.get("batch_size", 8), seed=derive(seed, "batches")
    )  # fmt: skip
    encoder = _unscaled(base)
    whole = BottleneckAutoencoder(Blind(encoder) if blind else encoder, TiedDecoder(base.predictor))  # type: ignore[arg-type]
    return trained_on(base, whole, BottleneckReconstruction(), reconstruct, batches, seed, options)


def filled_in(
    base: MaskedModel, texts: Sequence[str], *, hidden: float = 0.15, seed: int = 0, **options: Unpack[PlainText]
) -> MaskedModel:
    """Go on with masked language modelling (BERT, https://arxiv.org/abs/1810.04805) on plain texts.

    Parameters
    ----------
    base
        A masked language model; its weights are changed in place.
    texts
        Plain texts.
    hidden
        Share of the tokens to fill in.
    seed
        Of order and hiding.
    options
        As for :func:`autoencoded`.

    Examples
    --------
    With a masked base model of the Lab::

        encoder = filled_in(base.fresh(), ["How do I mount a disk?", ...], steps=100)
    """
    rows, _ = _rows(base, texts, options.get("longest", 64))
    hides = hiding(base.tokenizer.tokenizer, share=hidden)
    batches = MaskedBatches(rows, hides, batch_size=options.get("batch_size", 8), seed=derive(seed, "batches"))
    return trained_on(base, base.predictor, MaskedLanguageModelling(), predict_judged, batches, seed, options)


def told_by_vector(model: MaskedModel, texts: Sequence[str], *, longest: int = 64) -> NDArray[np.float64]:
    """Return how many nats a token costs less with a text's own vector than with the next text's, ``(n,)``.

    Parameters
    ----------
    model
        From :func:`autoencoded`: its layers write.
    texts
        At least two; nothing is left out of them.
    longest
        Tokens of a text, marks included.
    """
    rows, _ = _rows(model, texts, longest)
    given, encoder, writer = pack(list(rows)), _unscaled(model), TiedDecoder(model.predictor).eval()
    with torch.inference_mode():
        vectors = encoder.eval()(given)  # (n, d)
        own, other = (
            token_losses(writer(one, given).float(), given.ids).values for one in (vectors, vectors.roll(1, 0))
        )  # (T,)
    sums = np.add.reduceat((other - own).double().numpy(), given.offsets[:-1].numpy())  # (n,)
    return np.asarray(sums / given.lengths.numpy())


def _rows(base: MaskedModel, texts: Sequence[str], longest: int) -> tuple[Ragged, tuple[int, ...]]:
    """Return the tokens of each text between the model's marks, and the marks."""
    tokenizer, first = base.tokenizer.tokenizer, base.tokenizer.before
    marks = tokenizer.encode("").ids
    longest = min(longest, base.window)
    return sentences(token_ids(texts, tokenizer), longest, before=marks[:first], after=marks[first:]), tuple(marks)


def _unscaled(base: MaskedModel) -> SentenceModel:
    """Return the encoder without its scaling to length one: a decoder reads the vector as a state."""
    return SentenceModel(base.model.transformer, pooling=base.model.pooling, normalise=False)


def trained_on(
    base: MaskedModel, module: nn.Module, objective: Objective, forward: Forward, batches: Batches, seed: int,
    options: PlainText,
) -> MaskedModel:  # fmt: skip
    """Train a module that holds a model's weights, and return the model; see :class:`PlainText` for the options.

    Parameters
    ----------
    base
        Whose weights move.
    module, objective, forward, batches
        As in a :class:`~isogloss.training.stage.Player`.
    seed
        Of what is random in the passes.
    options
        ``steps``, ``learning_rate`` and ``table`` of them.

    Examples
    --------
    :func:`filled_in` is, on batches with hidden tokens::

        trained_on(base, base.predictor, MaskedLanguageModelling(), predict_judged, batches, 0, {"steps": 100})
    """
    table = base.model.transformer.embeddings.word
    moved = table.weight.requires_grad
    table.requires_grad_(moved and options.get("table", True))
    optimiser = Optimiser(learning_rate=options.get("learning_rate", 3e-5))
    player = Player(module=module, objective=objective, forward=forward, optimiser=optimiser)
    steps = options.get("steps", 100)
    try:
        base.summary = train(Stage(batches=batches, players=[player], steps=steps, precision="bf16"), seed=seed)
    finally:
        table.requires_grad_(moved)
    base.predictor.eval()
    return base
