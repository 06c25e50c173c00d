"""A model that reads text and writes text, with its tokenizer, on disk and in memory."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from isogloss.errors import ModelError
from isogloss.nn.seq2seq import Seq2Seq, Seq2SeqConfig
from isogloss.nn.transformer import TransformerConfig
from isogloss.seeding import derive
from isogloss.training.models import Trainable
from isogloss.training.randomness import seeded
from isogloss.vocabulary.wordpiece import WordPiece

FORMAT = "isogloss-seq2seq 1"
FILES = ("config.json", "model.safetensors", "tokenizer.json")


@dataclass(slots=True)
class TextToText:
    """An encoder-decoder and its tokenizer.

    Attributes
    ----------
    model
        The module; its shared rows are the tokenizer's tokens.
    pieces
        The tokenizer.

    Examples
    --------
    With a folder that :meth:`save` wrote::

        base = TextToText.load(folder)
        base.model.begin(pack(base.pieces.ids(["a text"])))
    """

    model: Seq2Seq
    pieces: WordPiece

    @classmethod
    def over(cls, trainable: Trainable, *, layers: int = 1, positions: int = 32, seed: int = 0) -> TextToText:
        """Put a new decoder behind the encoder of a trained model, which is copied and frozen.

        Parameters
        ----------
        trainable
            Whose transformer reads and whose token table is the decoder's.
        layers, positions
            Of the decoder.
        seed
            Of its first weights.

        Raises
        ------
        ModelError
            Where the model has no vocabulary file of BERT's kind.
        """
        if trainable.source is None:
            raise ModelError("the model has no vocabulary", "it was made in memory", "load it from a folder")
        pieces, encoder = WordPiece.load(trainable.source), trainable.model.transformer
        config = Seq2SeqConfig(
            encoder=replace(encoder.config, dropout=0.0), layers=layers, positions=positions,
            start=pieces.numbers["[CLS]"], end=pieces.numbers["[SEP]"],
        )  # fmt: skip
        with seeded(derive(seed, "decoder")):
            model = Seq2Seq(config)
        model.encoder.load_state_dict(encoder.state_dict())
        model.encoder.requires_grad_(False)
        return cls(model.eval(), pieces)

    @property
    def parameters(self) -> int:
        """Number of weights."""
        return sum(one.numel() for one in self.model.parameters())

    def save(self, folder: Path) -> None:
        """Write ``model.safetensors``, ``config.json`` and ``tokenizer.json`` into a folder."""
        from safetensors.torch import save_file

        folder.mkdir(parents=True, exist_ok=True)
        tensors = {name: value.detach().contiguous().cpu() for name, value in self.model.state_dict().items()}
        save_file(tensors, str(folder / "model.safetensors"))
        (folder / "tokenizer.json").write_text(self.pieces.to_json(), "utf-8")
        settings = {"format": FORMAT, **asdict(self.model.config)}
        (folder / "config.json").write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n", "utf-8")

    @classmethod
    def load(cls, folder: Path) -> TextToText:
        """Read a folder that :meth:`save` wrote.

        Raises
        ------
        ModelError
            Where a file is missing, the format is another one, or the tensors do not fit the configuration.
        """
        from safetensors.torch import load_file

        missing = [
            name for name in ("config.json", "model.safetensors", "tokenizer.json") if not (folder / name).is_file()
        ]
        if missing:
            raise ModelError(
                "this is no whole encoder-decoder", f"{folder} lacks {', '.join(missing)}", "build it again"
            )
        settings: dict[str, Any] = json.loads((folder / "config.json").read_text("utf-8"))
        found = settings.pop("format", "no format")
        if found != FORMAT:
            raise ModelError("this is no encoder-decoder of ours", f"{folder} says {found}, not {FORMAT}")
        config = Seq2SeqConfig(**{**settings, "encoder": TransformerConfig(**settings["encoder"])})
        model = Seq2Seq(config)
        try:
            model.load_state_dict(load_file(str(folder / "model.safetensors")))
        except RuntimeError as error:
            raise ModelError(
                "the weights do not fit the configuration", f"{folder}: {error}", "build it again"
            ) from error
        return cls(model.eval(), WordPiece.load(folder))
