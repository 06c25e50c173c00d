"""What builders of language models make, how the cache keeps it, and what the Lab gives a recipe."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from torch import nn

from isogloss.encoders.tokenizer_file import TokenizerFile
from isogloss.nn.heads import CausalHead, MaskedHead, TokenPredictor
from isogloss.nn.transformer import Transformer, TransformerConfig
from isogloss.training.language_model import TrainedLanguageModel
from isogloss.training.masked_model import MaskedModel, parameters_of
from isogloss.training.weights_digest import module_identity

WINDOW = 128
"""Tokens that tiny models read at once, marks included."""


@dataclass(slots=True)
class Pretrained:
    """A trained predictor with its tokenizer, as a builder makes it.

    Attributes
    ----------
    predictor
        Body and head.
    tokenizer
        A ``tokenizers.Tokenizer``.
    window
        Longest input in tokens.
    """

    predictor: TokenPredictor
    tokenizer: Any
    window: int = WINDOW

    @property
    def parameters(self) -> int:
        """Number of weights."""
        return parameters_of(self.predictor)

    def save(self, folder: Path) -> None:
        """Write weights, tokenizer and sizes."""
        from safetensors.torch import save_file

        shape = {"body": asdict(self.predictor.body.config), "window": self.window}  # type: ignore[arg-type, call-overload]
        state = {name: value.detach().contiguous() for name, value in self.predictor.state_dict().items()}
        save_file(state, str(folder / "model.safetensors"), metadata={"format": "pt"})
        (folder / "tokenizer.json").write_text(self.tokenizer.to_str(), encoding="utf-8")
        (folder / "shape.json").write_text(json.dumps(shape, indent=1) + "\n", encoding="utf-8")


def masked_predictor(body: nn.Module) -> TokenPredictor:
    """Return a body with a new masked-language-model head of its size."""
    config: TransformerConfig = body.config  # type: ignore[assignment]
    return TokenPredictor(body, MaskedHead(config.vocabulary, config.width))


def causal_predictor(body: nn.Module) -> TokenPredictor:
    """Return a body with the tied head of a causal language model, with a bias for each token."""
    config: TransformerConfig = body.config  # type: ignore[assignment]
    return TokenPredictor(body, CausalHead(config.width, bias=config.vocabulary))


def _shape(folder: Path) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads((folder / "shape.json").read_text(encoding="utf-8"))
    return found


class MaskedBase(MaskedModel):
    """A masked base model of the Lab: encoder (mean of the last states), language model, and material for training."""

    def fresh(self) -> MaskedBase:
        """Return a copy with weights of its own, to be trained on."""
        return MaskedBase(copy.deepcopy(self.predictor), self.tokenizer, name=self.name)


def load_masked(folder: Path, body: Any = None) -> MaskedBase:
    """Load a masked base model; ``body`` makes the body from its sizes, a transformer by default."""
    from safetensors.torch import load_file

    shape = _shape(folder)
    made = Transformer(TransformerConfig(**shape["body"])) if body is None else body(shape["body"])
    predictor = masked_predictor(made)
    predictor.load_state_dict(load_file(str(folder / "model.safetensors")))
    return MaskedBase(predictor, TokenizerFile(folder, max_length=shape["window"]), name=folder.name)


class CausalBase(TrainedLanguageModel):
    """A causal base model of the Lab: language model, and material for training and for a causal encoder."""

    name: str = "causal-model"

    @property
    def predictor(self) -> TokenPredictor:
        """Body and head."""
        found: TokenPredictor = self.module  # type: ignore[assignment]
        return found

    @property
    def identity(self) -> str:
        """Hash of weights, tokenizer and window."""
        return module_identity([self.window, self.tokenizer.to_str()], self.module)

    def fresh(self) -> Self:
        """Return a copy with weights of its own, to be trained on."""
        other = copy.copy(self)
        other.module = copy.deepcopy(self.module)
        return other


def load_causal(folder: Path) -> CausalBase:
    """Load a causal base model."""
    from safetensors.torch import load_file
    from tokenizers import Tokenizer

    shape = _shape(folder)
    predictor = causal_predictor(Transformer(TransformerConfig(**shape["body"])))
    predictor.load_state_dict(load_file(str(folder / "model.safetensors")))
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    begin, end = (int(tokenizer.token_to_id(name) or 0) for name in ("<s>", "</s>"))
    model = CausalBase(predictor, tokenizer, begin=begin, end=end, window=shape["window"])
    model.name = folder.name
    return model


def load_causal_body(folder: Path, body: Callable[[TransformerConfig], nn.Module]) -> CausalBase:
    """Load a causal base model whose body is no plain transformer; ``body`` makes it from its sizes."""
    from safetensors.torch import load_file
    from tokenizers import Tokenizer

    shape = _shape(folder)
    predictor = causal_predictor(body(TransformerConfig(**shape["body"])))
    predictor.load_state_dict(load_file(str(folder / "model.safetensors")))
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    begin, end = (int(tokenizer.token_to_id(name) or 0) for name in ("<s>", "</s>"))
    model = CausalBase(predictor, tokenizer, begin=begin, end=end, window=shape["window"])
    model.name = folder.name
    return model
