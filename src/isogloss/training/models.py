"""From a model folder to a torch module that can be trained, and back to its tensors."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from isogloss.arrays import Similarity
from isogloss.encoders.engines.architectures import MODEL_TYPES, Architecture, Weights
from isogloss.encoders.engines.weights import read_headers
from isogloss.encoders.model_folder import resolve
from isogloss.encoders.model_plan import Choice, DenseStep, LayerNormStep, ModelPlan, NormaliseStep, Step
from isogloss.encoders.names import find_model, is_static
from isogloss.encoders.tokenizer_file import TokenizerFile
from isogloss.errors import UnsupportedModelError, UsageError
from isogloss.nn.sentence import DenseLayer, LayerNorm, Normalise, SentenceModel
from isogloss.nn.transformer import Transformer, TransformerConfig

_FLOATS = ("F64", "F32", "F16", "BF16")


@dataclass(slots=True)
class Trainable:
    """A model that can be trained, with all that is needed to use and to save it.

    Attributes
    ----------
    model
        The torch module.
    tokenizer
        Cuts texts at the model's window.
    plan
        Every setting of the folder that it comes from, or of a model that was made here.
    source
        Folder whose configuration files are written again with the model; None for a model that was made here.
    extra
        Tensors of that folder that the model does not use (a pooler, a head), saved again as they were.
    """

    model: SentenceModel
    tokenizer: TokenizerFile
    plan: ModelPlan
    source: Path | None = None
    extra: dict[str, NDArray[np.float32]] = field(default_factory=dict)


def load_trainable(name_or_folder: str | Path, *, max_length: int | None = None) -> Trainable:
    """Load a sentence-transformers or transformers folder as a torch module, in float32.

    Parameters
    ----------
    name_or_folder
        A folder, or a name that :func:`~isogloss.encoders.names.find_model` finds on this machine.
    max_length
        Longest input in tokens; None for what the folder says.

    Raises
    ------
    UnsupportedModelError
        Where the model is not of BERT, RoBERTa, XLM-R, CamemBERT, MPNet or DistilBERT shape.
    ModelError
        Where the folder is incomplete or contradicts itself.

    Examples
    --------
    With a model on the machine (``isogloss pull minilm``)::

        trainable = load_trainable("minilm")
        trainable.model(pack(trainable.tokenizer(["a small dog"]).ids))  # (1, 384)
    """
    folder = find_model(str(name_or_folder))
    if is_static(folder):
        raise UnsupportedModelError(
            "a static model has no transformer to train", f"{folder.name} holds token vectors alone",
            "train it with isogloss.training.static_training",
        )  # fmt: skip
    plan = resolve(folder, max_length=max_length)
    if plan.architecture is None or plan.architecture.rotary is not None:
        raise UnsupportedModelError(
            "this model cannot be trained", f"{plan.name} is of another kind, or runs from an ONNX file",
            f"use a model of one of these kinds, with its weights: {', '.join(sorted(MODEL_TYPES))}",
        )  # fmt: skip
    if plan.layers or plan.token_steps:
        raise UnsupportedModelError(
            "this model cannot be trained", f"{plan.name} changes token vectors before it pools them",
            "train one that pools the last layer; this one can be used to encode",
        )  # fmt: skip
    weights = Weights(read_headers(plan.transformer), plan.architecture)
    places = weights.used()
    settings = json.loads((plan.transformer / "config.json").read_text("utf-8"))
    transformer = Transformer(_config(plan.architecture, places, settings))
    names = tensor_names(transformer, plan.architecture)
    transformer.load_state_dict({ours: _tensor(places[theirs].read()) for ours, theirs in names.items()})
    model = SentenceModel(
        transformer, pooling=plan.pooling.value, dense=_dense_modules(plan.steps.value),
        normalise=bool(plan.steps.value) and isinstance(plan.steps.value[-1], NormaliseStep),
    )  # fmt: skip
    known = {weights.prefix + name for name in places}
    unused = {
        name.removeprefix(weights.prefix): place.read()  # every reader does without the prefix
        for name, place in weights.tensors.items()
        if name not in known and _modern(name) not in known and place.dtype in _FLOATS
    }
    return Trainable(model.eval(), _tokenizer(plan), plan, plan.transformer, unused)


def new_trainable(model: SentenceModel, tokenizer: TokenizerFile, *, name: str = "model") -> Trainable:
    """Give a model that was made here what it needs to be used as an encoder and, in BERT's shape, to be saved.

    Parameters
    ----------
    model
        Can be saved where it is post-norm and bidirectional, with an unfactorised token table.
    tokenizer
        Cuts texts at the model's window.
    name
        Of the model.

    Examples
    --------
    With a folder that has a ``tokenizer.json``::

        config = TransformerConfig(vocabulary=8000, width=128, layers=4, heads=4, inner=512)
        tokenizer = TokenizerFile(folder, max_length=128)
        trainable = new_trainable(SentenceModel(Transformer(config)), tokenizer)
    """
    made, architecture = "made here", _bert_shape(model.transformer.config)
    plan = ModelPlan(
        folder=Path(), transformer=Path(), name=name, onnx=None, architecture=architecture,
        model_type=architecture.model_type if architecture else "",
        max_length=Choice(tokenizer.max_length, made), pooling=Choice(model.pooling, made),
        include_prompt=Choice(True, made), prompts=Choice({"query": "", "document": "", "": ""}, made),
        steps=Choice(steps_of(model), made), similarity=Choice(Similarity.COSINE, made),
        lower_case=Choice(False, made), truncation_side=Choice(tokenizer.side, made), dimensions=model.dimensions,
        languages=None,
    )  # fmt: skip
    return Trainable(model, tokenizer, plan)


def _bert_shape(config: TransformerConfig) -> Architecture | None:
    """Return the sizes under BERT's name (DistilBERT's without token types); None where it is another shape."""
    if config.norm_first or config.causal or config.buckets or config.embedding_width or config.first_position:
        return None
    kind = "bert" if config.types else "distilbert"
    return Architecture(
        kind, MODEL_TYPES[kind], config.layers, config.width, config.heads, config.inner, config.vocabulary,
        config.positions, 0, config.epsilon if config.types else 1e-12, config.activation,
    )  # fmt: skip


def keep_layers(trainable: Trainable, layers: Sequence[int]) -> Trainable:
    """Return a model of some of the layers, in the given order; the parameters are shared with the whole one.

    Examples
    --------
    The first three layers of MiniLM, a pre-trained but poor sentence encoder::

        small = keep_layers(load_trainable("minilm"), range(3))
    """
    whole = trainable.model.transformer
    chosen = [whole.layers[layer] for layer in layers]
    if not chosen:
        raise UsageError("a model needs a layer", "no layer was chosen", f"choose from 0 to {len(whole.layers) - 1}")
    config = replace(whole.config, layers=len(chosen))
    part = Transformer(replace(config, layers=0))
    part.config, part.layers, part.embeddings = config, nn.ModuleList(chosen), whole.embeddings
    part.norm, part.relative = whole.norm, whole.relative
    model = SentenceModel(
        part, pooling=trainable.model.pooling, dense=list(trainable.model.dense), normalise=trainable.model.normalise
    )
    model.train(trainable.model.training)
    shape = trainable.plan.architecture
    plan = replace(trainable.plan, architecture=shape and replace(shape, layers=len(chosen)))
    return Trainable(model, trainable.tokenizer, plan, trainable.source, _without_layers(trainable.extra))


def tensor_names(transformer: Transformer, architecture: Architecture) -> dict[str, str]:
    """Return the name in the file, without prefix, of each parameter of our transformer."""
    names = architecture.names
    parts = {"embeddings.word": names.word, "embeddings.position": names.position}
    parts |= {"embeddings.token_type": names.token_type, "embeddings.norm": names.embedding_norm}
    parts["relative"] = names.relative
    for i in range(len(transformer.layers)):
        for ours in (
            "query", "key", "value", "attention_out", "attention_norm", "up", "down", "out_norm",
        ):  # fmt: skip
            parts[f"layers.{i}.{ours}"] = getattr(names, ours).format(i=i)
    found = {}
    for name in transformer.state_dict():
        part, _, kind = name.rpartition(".")
        found[name] = f"{parts[part]}.{kind}"
    return found


def steps_of(model: SentenceModel) -> tuple[Step, ...]:
    """Return what a model does after pooling, as the steps of a plan."""
    steps: list[Step] = []
    for module in model.dense:
        if isinstance(module, DenseLayer):
            linear, activation = module.linear, module.activation_name
            sizes = Path(), linear.in_features, linear.out_features, linear.bias is not None
            steps.append(DenseStep(*sizes, activation, module.residual_input))
        elif isinstance(module, Normalise):
            steps.append(NormaliseStep())
        elif isinstance(module, LayerNorm):
            steps.append(LayerNormStep(Path(), module.size))
        else:
            raise UnsupportedModelError(
                f"a {type(module).__name__} cannot be described in a model folder", "it stands behind the pooling",
                "use DenseLayer, Normalise and LayerNorm modules",
            )  # fmt: skip
    return (*steps, NormaliseStep()) if model.normalise else tuple(steps)


def _config(architecture: Architecture, places: Mapping[str, Any], settings: Mapping[str, Any]) -> TransformerConfig:
    names = architecture.names
    hidden = float(settings.get("hidden_dropout_prob", settings.get("dropout", 0.1)))
    attention = float(settings.get("attention_probs_dropout_prob", settings.get("attention_dropout", hidden)))
    return TransformerConfig(
        vocabulary=architecture.vocabulary, width=architecture.width, layers=architecture.layers,
        heads=architecture.heads, inner=architecture.inner, positions=architecture.positions,
        types=places[names.token_type + ".weight"].shape[0] if names.token_type else 0,
        first_position=architecture.first_position, activation=architecture.activation,  # type: ignore[arg-type]
        dropout=hidden, attention_dropout=attention, epsilon=architecture.epsilon, buckets=architecture.buckets,
    )  # fmt: skip


def _dense_modules(steps: Sequence[Step]) -> list[nn.Module]:
    """Return the modules between pooling and the last normalisation, which the model does itself."""
    modules: list[nn.Module] = []
    ending = bool(steps) and isinstance(steps[-1], NormaliseStep)
    for step in steps[:-1] if ending else steps:
        if isinstance(step, NormaliseStep):
            modules.append(Normalise())
            continue
        tensors = read_headers(step.folder)
        layer: nn.Module = LayerNorm(step.size) if isinstance(step, LayerNormStep) else DenseLayer(
            step.inputs, step.outputs, bias=step.bias, activation=step.activation, residual=step.residual
        )  # fmt: skip
        layer.load_state_dict({name: _tensor(tensors[name].read()) for name in layer.state_dict()})
        modules.append(layer)
    return modules


def _tokenizer(plan: ModelPlan) -> TokenizerFile:
    return TokenizerFile(
        plan.transformer, max_length=plan.max_length.value, lower_case=plan.lower_case.value,
        side=plan.truncation_side.value,
    )  # fmt: skip


def _tensor(values: NDArray[np.float32]) -> torch.Tensor:
    return torch.from_numpy(np.array(values, np.float32))  # a copy: the file's own pages are read-only


def _modern(name: str) -> str:
    return name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")


def _without_layers(extra: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
    """Leave out tensors of layers, whose numbers no longer fit."""
    return {name: values for name, values in extra.items() if ".layer." not in name}
