"""What a model folder says about itself, each setting with all its sources and the one that won."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

from isogloss.arrays import Similarity
from isogloss.encoders.engines.architectures import Architecture
from isogloss.protocols import Role

T = TypeVar("T")
PoolingMode = Literal["cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"]


@dataclass(frozen=True, slots=True)
class Choice(Generic[T]):
    """One setting: the value in force, where it comes from, and everything that the sources said.

    Attributes
    ----------
    value
        The value in force.
    source
        The source that won.
    said
        ``(source, value)`` of every source that said anything, strongest first.
    """

    value: T
    source: str
    said: tuple[tuple[str, Any], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the choice as plain data."""
        return {
            "value": _plain(self.value),
            "source": self.source,
            "said": [[name, _plain(v)] for name, v in self.said],
        }


@dataclass(frozen=True, slots=True)
class DenseStep:
    """A linear layer with an activation function, after pooling; ``W (outputs, inputs)`` lies in ``folder``."""

    folder: Path
    inputs: int
    outputs: int
    bias: bool
    activation: str
    residual: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the step as plain data, without the machine's paths."""
        return {
            "step": "dense", "inputs": self.inputs, "outputs": self.outputs, "bias": self.bias,
            "activation": self.activation, "residual": self.residual,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class NormaliseStep:
    """Scaling of each vector to length one."""

    def to_dict(self) -> dict[str, Any]:
        """Return the step as plain data."""
        return {"step": "normalise"}


@dataclass(frozen=True, slots=True)
class LayerNormStep:
    """Centring and scaling of each vector to unit variance, times a gain, plus a shift; both lie in ``folder``.

    Layer Normalization (https://arxiv.org/abs/1607.06450) with torch's epsilon of 1e-5.
    """

    folder: Path
    size: int

    def to_dict(self) -> dict[str, Any]:
        """Return the step as plain data, without the machine's paths."""
        return {"step": "layer norm", "size": self.size}


Step = DenseStep | NormaliseStep | LayerNormStep


@dataclass(frozen=True, slots=True)
class LayerMean:
    """The weighted mean of the layers from ``start`` on, instead of the last one; the weights lie in ``folder``.

    Layer 0 is the embeddings' output, so there are ``layers + 1 - start`` weights.
    """

    folder: Path
    start: int
    layers: int

    def to_dict(self) -> dict[str, Any]:
        """Return the mean as plain data, without the machine's paths."""
        return {"layers": list(range(self.start, self.layers + 1))}


@dataclass(frozen=True, slots=True)
class ModelPlan:
    """Everything that is needed to encode with a model folder, decided before a weight is read.

    Attributes
    ----------
    folder
        The model's folder (the one with ``modules.json``).
    transformer
        The folder with ``config.json``, the tokenizer and the weights; often the same.
    name
        Short name: of the hub model, the package or the folder.
    model_type
        As in ``config.json``.
    architecture
        Sizes, for our own graph; ``None`` where the folder's ONNX file is used.
    onnx
        The ONNX file that is used instead of our own graph, or ``None``.
    max_length
        Longest input in tokens, special ones included.
    pooling
        Pooling modes, joined in this order.
    include_prompt
        Whether the prompt's tokens take part in pooling.
    prompts
        Texts put in front of the input, for the keys ``"query"``, ``"document"`` and ``""`` (no role).
    steps
        Dense layers and normalisation after pooling, in order.
    similarity
        How vectors are compared.
    lower_case
        Whether text is lower-cased before the tokenizer.
    truncation_side
        The side that a long text loses, ``"right"`` or ``"left"``.
    dimensions
        Components of a vector.
    languages
        Languages of the model's card, ``None`` where it names none (or says multilingual).
    notes
        Facts worth knowing.
    warnings
        Things that are likely to be wrong.
    layers
        The layers whose weighted mean is pooled, or ``None``: the last one.
    token_steps
        Dense layers and normalisation of token vectors, before pooling, in order.
    """

    folder: Path
    transformer: Path
    name: str
    model_type: str
    architecture: Architecture | None
    onnx: Path | None
    max_length: Choice[int]
    pooling: Choice[tuple[PoolingMode, ...]]
    include_prompt: Choice[bool]
    prompts: Choice[Mapping[str, str]]
    steps: Choice[tuple[Step, ...]]
    similarity: Choice[Similarity]
    lower_case: Choice[bool]
    truncation_side: Choice[Literal["left", "right"]]
    dimensions: int
    languages: frozenset[str] | None
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    layers: LayerMean | None = None
    token_steps: tuple[Step, ...] = ()

    @property
    def token_width(self) -> int:
        """Components of a token's vector when it is pooled; 0 where nothing says."""
        dense = [step for step in self.token_steps if isinstance(step, DenseStep)]
        return dense[-1].outputs if dense else self.architecture.width if self.architecture else 0

    def prompt(self, role: Role | None) -> str:
        """Return the text in front of an input in this role."""
        return self.prompts.value[role or ""]

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as plain data, every setting with its sources; for ``isogloss info``."""
        settings = {
            name: getattr(self, name).to_dict()
            for name in (
                "max_length", "pooling", "include_prompt", "prompts", "steps", "similarity", "lower_case",
                "truncation_side",
            )
        }  # fmt: skip
        return {
            "name": self.name,
            "folder": str(self.folder),
            "model_type": self.model_type,
            "engine": f"ONNX file {self.onnx.name}" if self.onnx else "own graph",
            "dimensions": self.dimensions,
            "languages": sorted(self.languages) if self.languages is not None else None,
            **settings,
            "layers": self.layers.to_dict()["layers"] if self.layers else None,
            "token_steps": _plain(self.token_steps),
            "notes": list(self.notes),
            "warnings": list(self.warnings),
        }


def _plain(value: Any) -> Any:
    if isinstance(value, Similarity):
        return value.value
    if isinstance(value, (DenseStep, NormaliseStep, LayerNormStep)):
        return value.to_dict()
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    return dict(value) if isinstance(value, Mapping) else value
