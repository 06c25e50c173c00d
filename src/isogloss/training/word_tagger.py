"""A tagger of words from scratch: features of each word in small tables, convolutions over neighbours, a tag each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from isogloss.corpus.examples import TaggedSentences
from isogloss.errors import NotFittedError, UsageError
from isogloss.nn.convolution import ConvolutionLayers
from isogloss.nn.hash_embeddings import MultiHashEmbedding
from isogloss.nn.heads import TaggingHead
from isogloss.nn.packing import Packed, pack
from isogloss.seeding import derive, generator
from isogloss.text.word_features import feature_rows, word_features
from isogloss.training.randomness import seeded

Tables = Literal["hashed", "repeated", "words"]


class _Network(nn.Module):
    """Features, neighbours, tags."""

    def __init__(self, rows: Sequence[int], width: int, layers: int, tags: int, dropout: float) -> None:
        super().__init__()
        self.words = MultiHashEmbedding(rows, width, dropout=dropout)
        self.context = ConvolutionLayers(width, layers=layers, dropout=dropout)
        self.head = TaggingHead(width, tags, dropout=dropout)

    def forward(self, chosen: Sequence[Tensor], packed: Packed) -> Tensor:
        logits: Tensor = self.head(self.context(self.words(chosen), packed))  # (T, w) -> (T, tags)
        return logits


class WordTagger:
    """Tags words by features of the word and its neighbours, trained from nothing.

    Source: Miranda et al. 2022, "Multi hash embeddings in spaCy" (https://arxiv.org/abs/2212.09255); the window layers
    are gated convolutions here, and each word's tag is chosen by itself.

    Parameters
    ----------
    rows
        Features (``norm``, ``prefix``, ``suffix``, ``shape``) and the rows of their tables.
    hashes
        Rows that a value has.
    tables
        ``"hashed"``; ``"repeated"`` takes a value's first row ``hashes`` times, which is as much work as several hashes
        and no more than one of them; ``"words"`` has a row for every value that training has seen and one for all
        others, and ``rows`` names the features alone.
    width, layers, dropout
        Of the network; each layer sees one more neighbour to each side.
    epochs, batch, rate, seed
        Passes, sentences a step, learning rate of Adam (falling to zero), and of every draw.

    Examples
    --------
    >>> data = TaggedSentences([["Ann", "ran"], ["Bob", "sat"]] * 8, [["B-PER", "O"]] * 16)
    >>> tagger = WordTagger({"norm": 20, "shape": 10}, width=8, layers=1, epochs=20, batch=4).fit(data)
    >>> tagger.predict([["Cleo", "sat"]])
    [['B-PER', 'O']]
    """

    def __init__(
        self, rows: Mapping[str, int], *, hashes: int = 4, tables: Tables = "hashed",
        width: int = 96, layers: int = 4, dropout: float = 0.1, epochs: int = 10, batch: int = 32, rate: float = 5e-3,
        seed: int = 0,
    ) -> None:  # fmt: skip
        if not rows or min(hashes, width, layers, epochs, batch) < 1 or rate <= 0:
            raise UsageError("the tagger's settings make no sense", f"{dict(rows)}, {hashes=}, {width=}, {epochs=}")
        self.sizes, self.hashes, self.tables = dict(rows), hashes, tables
        self.width, self.layers, self.dropout = width, layers, dropout
        self.epochs, self.batch, self.rate, self.seed = epochs, batch, rate, seed

    def fit(self, data: TaggedSentences) -> Self:
        """Learn from tagged sentences; empty ones are passed over.

        Raises
        ------
        UsageError
            Where there are no words, or not as many tags.
        """
        pairs = [(w, t) for w, t in zip(data.words, data.tags, strict=True) if w]
        if not pairs or any(len(words) != len(tags) for words, tags in pairs):
            raise UsageError(
                "there is nothing to learn tags from", f"{len(pairs)} sentences", "give a tag for each word"
            )
        self.names_ = sorted({tag for _, tags in pairs for tag in tags})
        number = {tag: i for i, tag in enumerate(self.names_)}
        labels = [np.array([number[tag] for tag in tags], np.int64) for _, tags in pairs]
        values = word_features(sorted({word for words, _ in pairs for word in words}))
        self.known_ = {name: {v: i + 1 for i, v in enumerate(sorted(set(values[name])))} for name in self.sizes}
        chosen, sentences = self._chosen([words for words, _ in pairs])
        with seeded(derive(self.seed, "word tagger") % 2**63):
            self.network_ = _Network(self._rows(), self.width, self.layers, len(self.names_), self.dropout)
            self._train(chosen, sentences, labels)
        self.network_.eval()
        return self

    def predict(self, sentences: Sequence[Sequence[str]]) -> list[list[str]]:
        """Return the tags of each sentence's words."""
        if not hasattr(self, "network_"):
            raise NotFittedError("this tagger has learned nothing yet", "", "call fit() first")
        out: list[list[str]] = [[] for _ in sentences]
        full = [i for i, words in enumerate(sentences) if len(words)]
        for start in range(0, len(full), 256):
            some = full[start : start + 256]
            chosen, rows = self._chosen([sentences[i] for i in some])
            packed = pack(rows)
            with torch.inference_mode():
                best = self.network_([one[packed.ids] for one in chosen], packed).argmax(1).tolist()  # (T,)
            for place, i in enumerate(some):
                first, last = packed.offsets[place : place + 2].tolist()
                out[i] = [self.names_[tag] for tag in best[first:last]]
        return out

    @property
    def table_size(self) -> int:
        """Numbers in the tables of the features."""
        return sum(self._rows()) * self.width

    def _rows(self) -> list[int]:
        if self.tables == "words":
            return [len(self.known_[name]) + 1 for name in self.sizes]
        return list(self.sizes.values())

    def _chosen(self, sentences: Sequence[Sequence[str]]) -> tuple[list[Tensor], list[NDArray[np.int64]]]:
        """Return each feature's row numbers ``(U, hashes)`` of the distinct words, and sentences as their numbers."""
        number: dict[str, int] = {}
        rows = [np.array([number.setdefault(word, len(number)) for word in words], np.int64) for words in sentences]
        values, found = word_features(list(number)), []
        for name, size in self.sizes.items():
            if self.tables == "words":
                picked = np.array([[self.known_[name].get(value, 0)] for value in values[name]], np.int64)
            else:
                picked = feature_rows(values[name], size, self.hashes)
                picked = np.repeat(picked[:, :1], self.hashes, axis=1) if self.tables == "repeated" else picked
            found.append(torch.from_numpy(np.ascontiguousarray(picked)))
        return found, rows

    def _train(self, chosen: list[Tensor], sentences: list[NDArray[np.int64]], labels: list[Any]) -> None:
        optimiser = torch.optim.Adam(self.network_.parameters(), lr=self.rate)
        rng = generator(self.seed, "word tagger", "order")
        steps, done = self.epochs * -(-len(sentences) // self.batch), 0
        for _ in range(self.epochs):
            order = rng.permutation(len(sentences))
            for start in range(0, len(order), self.batch):
                some = order[start : start + self.batch]
                packed = pack([sentences[i] for i in some])
                wanted = torch.from_numpy(np.concatenate([labels[i] for i in some]))  # (T,)
                for group in optimiser.param_groups:
                    group["lr"] = self.rate * (1 - done / steps)
                loss = functional.cross_entropy(self.network_([one[packed.ids] for one in chosen], packed), wanted)
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                done += 1
