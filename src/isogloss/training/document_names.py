"""Learning to name documents: a frozen encoder reads texts once, a small decoder learns to write the names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from isogloss.errors import UsageError
from isogloss.nn.packing import Packed, pack
from isogloss.nn.seq2seq import Seq2Seq, Seq2SeqConfig
from isogloss.objectives.sequence import TeacherForcing
from isogloss.protocols import Progress
from isogloss.seeding import derive
from isogloss.training.loop import train
from isogloss.training.models import Trainable
from isogloss.training.randomness import seeded
from isogloss.training.sequence_batches import FrozenSources, SequenceBatches
from isogloss.training.stage import Optimiser, Player, Stage
from isogloss.vocabulary.templates import TokenTemplate
from isogloss.vocabulary.wordpiece import WordPiece


class NamingTexts:
    """Texts that models learn the names of documents from, read once by an encoder that does not learn.

    Parameters
    ----------
    trainable
        Whose transformer reads; its weights are frozen.
    texts
        All texts that any model will learn from; equal ones are read once.
    longest
        Most tokens of a text, marks included; what is beyond them is not read.

    Raises
    ------
    UsageError
        Where there is no text, or the model has no vocabulary file.

    Examples
    --------
    With the first layers of a model on the machine::

        texts = NamingTexts(keep_layers(load_trainable("minilm"), range(3)), [*passages, *queries])
        model = texts.learn([*passages, *queries], names, steps=150, seed=0)
    """

    def __init__(self, trainable: Trainable, texts: Sequence[str], *, longest: int = 64) -> None:
        if not len(texts) or trainable.source is None:
            raise UsageError(
                "there is nothing to learn names from", f"{len(texts)} texts, vocabulary in {trainable.source}",
                "give texts, and a model that was loaded from a folder",
            )  # fmt: skip
        pieces = WordPiece.load(trainable.source)
        self.encoder = trainable.model.transformer.requires_grad_(False).eval()
        marks = [pieces.numbers[mark] for mark in ("[CLS]", "[SEP]")]
        self.template = TokenTemplate(pieces, "{text}", longest=longest, before=marks[:1], after=marks[1:])
        different = list(dict.fromkeys(texts))
        self.numbers: dict[str, int] = {text: number for number, text in enumerate(different)}
        self.sources = FrozenSources(self.encoder, self.template(text=different), precision="bf16")

    def read(self, texts: Sequence[str]) -> Packed:
        """Return the token ids of any texts, as a model's ``begin`` takes them."""
        return pack(self.template(text=list(texts)))

    def vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the mean ``(n, width)`` of the states of known texts.

        Raises
        ------
        UsageError
            Where a text is not among those that were read.
        """
        means = [self.sources.states[rows].mean(0).numpy() for rows in self._rows(texts)]  # (width,) each
        return np.stack(means)

    def learn(
        self, texts: Sequence[str], names: Sequence[Sequence[int]], *, steps: int, seed: int, batch_size: int = 64,
        learning_rate: float = 1e-3, layers: int = 1, progress: Progress | None = None,
    ) -> Seq2Seq:  # fmt: skip
        """Train a new decoder to write the name that belongs to each text.

        Parameters
        ----------
        texts
            Known ones; a passage, its synthetic queries ...
        names
            For each text the name of its document.
        steps, batch_size, learning_rate
            Of the training.
        seed
            Of the first weights, the order and the dropout.
        layers
            Of the decoder.
        progress
            Is told of the steps.

        Raises
        ------
        UsageError
            Where texts and names are not equally many, a name is empty, or a text is unknown.
        """
        if len(texts) != len(names) or not names or not all(len(name) for name in names):
            raise UsageError("each text needs a name", f"{len(texts)} texts, {len(names)} names, or an empty one")
        outputs = 1 + max(max(name) for name in names)
        config = Seq2SeqConfig(
            encoder=replace(self.encoder.config, dropout=0.1), layers=layers, shared=False, extra=outputs + 1,
            positions=max(len(name) for name in names), start=outputs, end=-1,
        )  # fmt: skip
        with seeded(derive(seed, "names")):
            model = Seq2Seq(config, self.encoder)
        batches = SequenceBatches(
            self._rows(texts), [np.array(name, np.int64) for name in names], batch_size=batch_size, seed=seed
        )
        player = Player(
            module=model, objective=TeacherForcing(), forward=self.sources.logits,
            optimiser=Optimiser(learning_rate=learning_rate),
        )  # fmt: skip
        train(
            Stage(batches=batches, players=[player], steps=steps, precision="bf16", name="names"),
            seed=seed,
            progress=progress,
        )
        return model.eval()

    def _rows(self, texts: Sequence[str]) -> list[NDArray[np.int64]]:
        unknown = [text for text in texts if text not in self.numbers]
        if unknown:
            raise UsageError(
                "a text was not read", f"{len(unknown)} of {len(texts)}, such as {unknown[0][:60]!r}",
                "give all texts at the start",
            )  # fmt: skip
        return [self.sources.rows[self.numbers[text]] for text in texts]
