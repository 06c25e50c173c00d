"""Another tokenizer for a trained language model: new token vectors from old ones, the model itself untouched."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from isogloss.nn.heads import TokenPredictor
from isogloss.nn.hypernetwork import EmbeddingHypernetwork
from isogloss.nn.packing import Packed, pack
from isogloss.objectives.contract import Batch, Losses, weighted_sum
from isogloss.objectives.token_targets import targets_of, token_losses, token_weights
from isogloss.protocols import Progress
from isogloss.seeding import derive, generator
from isogloss.training.corpus_batches import CausalBatches
from isogloss.training.corpus_tokens import sentences, token_ids
from isogloss.training.language_model import TrainedLanguageModel
from isogloss.training.loop import train
from isogloss.training.randomness import seeded
from isogloss.training.stage import Optimiser, Player, Stage
from isogloss.vocabulary.unigram_sampling import MARKS, decomposed, piece_counts, sampled_unigram

BEGIN, END = 1, 2
"""Numbers of the marks in every sampled tokenizer."""
TEXTS = 32
"""Texts a step."""


def pieces_of(tokenizer: Any, old: Any, *, shuffled: int | None = None) -> Packed:
    """Return every token of a tokenizer as pieces of an old one, in the order of their numbers.

    Parameters
    ----------
    tokenizer, old
        Byte-level ``tokenizers.Tokenizer``s.
    shuffled
        Seed of a permutation that gives every token another token's pieces; None: its own.
    """
    vocabulary = tokenizer.get_vocab()
    tokens = sorted(vocabulary, key=lambda token: vocabulary[token])
    found = decomposed(tokens, old)
    if shuffled is not None:
        order = generator(shuffled, "pieces").permutation(len(found) - len(MARKS)) + len(MARKS)
        found = [*found[: len(MARKS)], *(found[i] for i in order)]
    return pack([np.array(ids, np.int64) for ids in found])


class SampledTokenizers:
    """Batches that each come in a tokenizer of their own, drawn from noisy counts.

    Parameters
    ----------
    model
        Whose tokenizer the pieces are written in.
    texts
        What is read.
    size, noise
        Of the sampled tokenizers.
    window
        Longest text in tokens.
    seed
        Of the draws.
    shuffled
        Give every token another one's pieces: what the network then learns has nothing to do with the token.
    """

    def __init__(
        self, model: TrainedLanguageModel, texts: Sequence[str], *, size: int, noise: float, seed: int,
        shuffled: bool = False,
    ) -> None:  # fmt: skip
        self.model, self.texts, self.size, self.noise = model, list(texts), size, noise
        self.seed, self.shuffled = seed, shuffled
        self.counts = piece_counts(self.texts)
        self.size = min(size, len(self.counts) + 256 + len(MARKS))
        self.old = model.tokenizer.get_vocab()
        self.per_epoch = max(1, len(self.texts) // TEXTS)

    def __call__(self, step: int) -> Batch:
        """Return texts in the step's tokenizer, its tokens as pieces, and which old token each one is (-1: none)."""
        rng = generator(self.seed, "tokenizer", step)
        tokenizer = sampled_unigram(self.counts, self.size, noise=self.noise, rng=rng)
        chosen = [self.texts[i] for i in rng.integers(0, len(self.texts), TEXTS)]
        rows = sentences(token_ids(chosen, tokenizer), self.model.window, before=[BEGIN], after=[END])
        batch = CausalBatches(rows, batch_size=len(rows), seed=derive(self.seed, "order", step))(0)
        pieces = pieces_of(tokenizer, self.model.tokenizer, shuffled=derive(self.seed, step) if self.shuffled else None)
        vocabulary = tokenizer.get_vocab()
        known = np.full(len(vocabulary), -1, np.int64)
        for token, number in vocabulary.items():
            known[number] = self.old.get(token, -1)
        extra = {**batch.extra, "pieces": pieces, "known": torch.from_numpy(known)}
        return Batch(batch.columns, extra=extra)


@dataclass(frozen=True, slots=True)
class TransferOutput:
    """Logits ``(m, V')`` at the judged positions, and the foretold table ``(V', d)``."""

    logits: Tensor
    table: Tensor


class TransferredPredictor(nn.Module):
    """A frozen predictor that reads and writes in foretold token vectors.

    Parameters
    ----------
    predictor
        Body and head; their weights do not move.
    network
        Foretells the table.
    """

    def __init__(self, predictor: TokenPredictor, network: EmbeddingHypernetwork) -> None:
        super().__init__()
        self.predictor, self.network = predictor.requires_grad_(False), network

    def forward(self, batch: Batch) -> TransferOutput:
        """Return logits and the table of the batch's tokenizer."""
        packed = batch.columns[0]
        table = self.network(batch.extra["pieces"], self.predictor.table)  # (V', d)
        states = self.predictor.body(packed, vectors=table[packed.ids])  # (T, d)
        judged = targets_of(batch) >= 0
        return TransferOutput(self.predictor.head(states[judged], table), table)  # (m, V')


@dataclass(frozen=True)
class TransferLoss:
    """The model's own loss on the new tokens, plus the distance of known tokens from their old vectors.

    Equation 3 of Minixhofer, Ponti, Vulić 2024 (https://arxiv.org/abs/2405.07883).

    Attributes
    ----------
    old
        The old table ``(V, d)``.
    anchor
        Weight of the distance.
    """

    old: Tensor
    anchor: float = 0.5
    cacheable: bool = False

    def __call__(self, outputs: TransferOutput, batch: Batch) -> Losses:
        """Return the weighted sum as one value a batch."""
        known = batch.extra["known"]
        both = known >= 0
        distance = (outputs.table[both] - self.old[known[both]]).norm(dim=1)  # (k,)
        language = token_losses(outputs.logits, targets_of(batch), token_weights(batch))
        return weighted_sum({"language": (1.0, language), "anchor": (self.anchor, Losses(distance, unit="token"))})


def forward_transfer(module: nn.Module, batch: Batch) -> TransferOutput:
    """Return what :class:`TransferredPredictor` gives for a batch."""
    output: TransferOutput = module(batch)
    return output


def fit_hypernetwork(
    model: TrainedLanguageModel, texts: Sequence[str], *, steps: int = 100, size: int = 2048, noise: float = 1.0,
    anchor: float = 0.5, learning_rate: float = 3e-3, seed: int = 0, shuffled: bool = False,
    progress: Progress | None = None,
) -> EmbeddingHypernetwork:  # fmt: skip
    """Train a network that foretells token vectors, on a new random tokenizer each step; the model stays as it is.

    Parameters
    ----------
    model
        A causal model whose head is tied to its token table.
    texts
        What is read.
    steps
        How many tokenizers are seen.
    size, noise
        Of the sampled tokenizers.
    anchor
        Weight of the distance between foretold and old vectors of tokens that both tokenizers have.
    learning_rate, seed, progress
        As everywhere.
    shuffled
        Show every token with another one's pieces.
    """
    predictor: TokenPredictor = copy.deepcopy(model.module)  # type: ignore[assignment]
    with seeded(derive(seed, "hypernetwork")):
        network = EmbeddingHypernetwork(predictor.table.shape[1])
    batches = SampledTokenizers(model, texts, size=size, noise=noise, seed=seed, shuffled=shuffled)
    player = Player(
        module=TransferredPredictor(predictor, network), forward=forward_transfer,
        objective=TransferLoss(predictor.table.detach(), anchor),
        optimiser=Optimiser(learning_rate=learning_rate, weight_decay=0.0),
    )  # fmt: skip
    train(Stage(batches=batches, players=[player], steps=steps, name="hypernetwork"), seed=seed, progress=progress)
    return network.eval()


def transferred(
    model: TrainedLanguageModel, tokenizer: Any, network: EmbeddingHypernetwork | None = None
) -> TrainedLanguageModel:
    """Return the model with another tokenizer: foretold token vectors, or the mean of each token's pieces.

    Parameters
    ----------
    model
        A causal model with a tied head without bias.
    tokenizer
        From :func:`~isogloss.vocabulary.unigram_sampling.sampled_unigram`, or another one with the same marks.
    network
        From :func:`fit_hypernetwork`; None for the mean.
    """
    predictor: TokenPredictor = copy.deepcopy(model.module)  # type: ignore[assignment]
    pieces = pieces_of(tokenizer, model.tokenizer)
    chosen = network if network is not None else EmbeddingHypernetwork(predictor.table.shape[1])
    with torch.no_grad():
        table = chosen(pieces, predictor.table)  # (V', d)
    predictor.body.embeddings.word = nn.Embedding.from_pretrained(table)  # type: ignore[union-attr]
    return TrainedLanguageModel(predictor, tokenizer, begin=BEGIN, end=END, window=model.window)
