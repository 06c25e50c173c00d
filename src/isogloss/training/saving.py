"""A trained model as a sentence-transformers folder that every generation of readers understands."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from isogloss.encoders.model_plan import ModelPlan
from isogloss.encoders.names import is_model
from isogloss.errors import UnsupportedModelError, UsageError
from isogloss.nn.sentence import DenseLayer, LayerNorm, SentenceModel
from isogloss.training.models import Trainable, tensor_names

_FLAGS = {
    "cls": "pooling_mode_cls_token",
    "mean": "pooling_mode_mean_tokens",
    "max": "pooling_mode_max_tokens",
    "mean_sqrt_len_tokens": "pooling_mode_mean_sqrt_len_tokens",
    "weightedmean": "pooling_mode_weightedmean_tokens",
    "lasttoken": "pooling_mode_lasttoken",
}
_KINDS = {DenseLayer: "Dense", LayerNorm: "LayerNorm"}
_OLD_MODULES = "sentence_transformers.models."  # paths that every generation reads


def save_trainable(trainable: Trainable, folder: str | Path, card: str = "") -> Path:
    """Write a model as a sentence-transformers folder, beside it first, then renamed into place.

    The folder has what both generations of readers look for: pooling by flags and by name, the old module paths, the
    tensors under the names that they were loaded with, and a ``tokenizer.json`` without truncation and padding.

    Parameters
    ----------
    trainable
        The model; its weights are written as float32.
    folder
        Where to; a model folder that is there already is replaced.
    card
        Text of ``README.md``; none is written where it is empty.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    UnsupportedModelError
        Where the model is of no published shape.
    UsageError
        Where ``folder`` is there and is not a model.

    Examples
    --------
    With a model on the machine (``isogloss pull minilm``)::

        save_trainable(load_trainable("minilm"), "copy", card="# A copy")
    """
    if trainable.plan.architecture is None:
        raise UnsupportedModelError(
            "this transformer is of no published shape",
            f"{trainable.plan.name} is {trainable.model.transformer.config}",
            "use norm_first=False, causal=False, embedding_width=None, first_position=0",
        )
    return write_aside(Path(folder), lambda partial: _write(trainable, partial, card))


def write_aside(folder: Path, write: Callable[[Path], None]) -> Path:
    """Let ``write`` fill a new folder beside ``folder``, then put it in its place; an error leaves nothing behind.

    Raises
    ------
    UsageError
        Where ``folder`` is there, has something in it and is not a model's.
    """
    folder = folder.expanduser().absolute()
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not is_model(folder))):
        raise UsageError(f"{folder.name} is there and is not a model", "it would be replaced", "choose another folder")
    partial, old = (folder.with_name(f".{folder.name}.{kind}-{os.getpid()}") for kind in ("new", "old"))
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        write(partial)
        if folder.exists():
            folder.rename(old)
        partial.rename(folder)
    except BaseException:
        if old.exists() and not folder.exists():
            old.rename(folder)
        shutil.rmtree(partial, ignore_errors=True)
        raise
    shutil.rmtree(old, ignore_errors=True)
    return folder


def _write(trainable: Trainable, folder: Path, card: str) -> None:
    plan, model = trainable.plan, trainable.model
    _json(folder / "config.json", _config(trainable))
    _weights(trainable, folder / "model.safetensors")
    shutil.copymode(folder / "config.json", folder / "model.safetensors")  # else only its owner could read it
    _tokenizer(trainable, folder)
    steps = _steps(model, folder)
    _json(folder / "modules.json", [
        {"idx": i, "name": str(i), "path": path, "type": _OLD_MODULES + kind}
        for i, (path, kind) in enumerate([("", "Transformer"), ("1_Pooling", "Pooling"), *steps])
    ])  # fmt: skip
    _json(folder / "1_Pooling" / "config.json", _pooling(model, plan))
    lengths = {"max_seq_length": trainable.tokenizer.max_length, "do_lower_case": plan.lower_case.value}
    _json(folder / "sentence_bert_config.json", lengths)
    _json(folder / "config_sentence_transformers.json", _prompts(plan, trainable.source))
    if card:
        (folder / "README.md").write_text(card, "utf-8")


def _weights(trainable: Trainable, file: Path) -> None:
    from safetensors.numpy import save_file

    assert trainable.plan.architecture is not None
    names = tensor_names(trainable.model.transformer, trainable.plan.architecture)
    state = trainable.model.transformer.state_dict()
    tensors = {theirs: _array(state[ours]) for ours, theirs in names.items()}
    extra = {name: np.ascontiguousarray(values) for name, values in trainable.extra.items()}
    save_file(extra | tensors, file, metadata={"format": "pt"})


def _config(trainable: Trainable) -> dict[str, Any]:
    """Return ``config.json``: the source's, with the sizes that may have changed, else one in BERT's words."""
    shape, config = trainable.plan.architecture, trainable.model.transformer.config
    assert shape is not None
    distil = shape.model_type == "distilbert"
    file = trainable.source / "config.json" if trainable.source else None
    found = json.loads(file.read_text("utf-8")) if file and file.is_file() else {}
    if not found:
        keys = (
            ("dim", "n_heads", "hidden_dim", "activation", "dropout", "attention_dropout")
            if distil
            else (
                "hidden_size", "num_attention_heads", "intermediate_size", "hidden_act", "hidden_dropout_prob",
                "attention_probs_dropout_prob",
            )
        )  # fmt: skip
        rest = config.dropout if config.attention_dropout is None else config.attention_dropout
        act = {"gelu_tanh": "gelu_new"}.get(config.activation, config.activation)
        values = (config.width, config.heads, config.inner, act, config.dropout, rest)
        found = dict(zip(keys, values, strict=True))
        found |= {"model_type": shape.model_type, "architectures": ["DistilBertModel" if distil else "BertModel"]}
        found |= {"layer_norm_eps": config.epsilon, "pad_token_id": 0}
        found |= {"type_vocab_size": config.types} if config.types else {}
    found |= {"n_layers" if distil else "num_hidden_layers": len(trainable.model.transformer.layers)}
    found |= {"vocab_size": config.vocabulary, "max_position_embeddings": config.positions + config.first_position}
    found |= {key: "float32" for key in ("torch_dtype", "dtype") if key in found}
    return dict(found)


def _tokenizer(trainable: Trainable, folder: Path) -> None:
    """Write the tokenizer without cut and padding; of its other files those that still say the truth."""
    (folder / "tokenizer.json").write_text(trainable.tokenizer.tokenizer.to_str(), "utf-8")
    source, settings = trainable.source, {}
    if source is not None and (source / "tokenizer_config.json").is_file():
        settings = json.loads((source / "tokenizer_config.json").read_text("utf-8"))
        if (source / "special_tokens_map.json").is_file():
            shutil.copyfile(source / "special_tokens_map.json", folder / "special_tokens_map.json")
    settings.setdefault("tokenizer_class", "PreTrainedTokenizerFast")
    settings["model_max_length"] = trainable.tokenizer.max_length
    settings["truncation_side"] = trainable.tokenizer.side
    model = json.loads(trainable.tokenizer.tokenizer.to_str())["model"]
    known = trainable.tokenizer.tokenizer.get_vocab(with_added_tokens=True)
    if model.get("type") == "WordPiece":
        words = sorted(known, key=lambda word: int(known[word]))
        (folder / "vocab.txt").write_text("".join(f"{word}\n" for word in words), "utf-8")
        for name, token in (("pad", "[PAD]"), ("unk", "[UNK]"), ("cls", "[CLS]"), ("sep", "[SEP]"), ("mask", "[MASK]")):
            if token in known:
                settings.setdefault(f"{name}_token", token)
    _json(folder / "tokenizer_config.json", settings)


def _steps(model: SentenceModel, folder: Path) -> list[tuple[str, str]]:
    """Write what follows the pooling; return ``(path, kind)`` of each module."""
    from safetensors.numpy import save_file

    steps: list[tuple[str, str]] = []
    for module in model.dense:
        kind = _KINDS.get(type(module), "Normalize")
        steps.append((f"{len(steps) + 2}_{kind}", kind))
        if isinstance(module, DenseLayer):
            linear = module.linear
            part = "linear" if module.activation_name == "Identity" else "activation"
            _json(folder / steps[-1][0] / "config.json", {
                "in_features": linear.in_features, "out_features": linear.out_features,
                "bias": linear.bias is not None, "use_residual": module.residual_input,
                "activation_function": f"torch.nn.modules.{part}.{module.activation_name}",
            })  # fmt: skip
        if isinstance(module, LayerNorm):
            _json(folder / steps[-1][0] / "config.json", {"dimension": module.size})
        if kind != "Normalize":
            tensors = {name: _array(value) for name, value in module.state_dict().items()}
            save_file(tensors, folder / steps[-1][0] / "model.safetensors", metadata={"format": "pt"})
    if model.normalise:
        steps.append((f"{len(steps) + 2}_Normalize", "Normalize"))
    for path, kind in steps:
        if kind == "Normalize":
            (folder / path).mkdir()
    return steps


def _pooling(model: SentenceModel, plan: ModelPlan) -> dict[str, Any]:
    width, modes = model.transformer.config.width, list(model.pooling)
    flags = {flag: mode in modes for mode, flag in _FLAGS.items()}
    named = modes[0] if len(modes) == 1 else modes
    return {
        "word_embedding_dimension": width, "embedding_dimension": width, **flags, "pooling_mode": named,
        "include_prompt": plan.include_prompt.value,
    }  # fmt: skip


def _prompts(plan: ModelPlan, source: Path | None) -> dict[str, Any]:
    file = source / "config_sentence_transformers.json" if source else None
    found = json.loads(file.read_text("utf-8")) if file and file.is_file() else {}
    prompts = {role: text for role, text in plan.prompts.value.items() if role}
    plain = plan.prompts.value.get("", "")
    if plain:
        prompts["default"] = plain
    return found | {
        "prompts": prompts, "default_prompt_name": "default" if plain else None,
        "similarity_fn_name": plan.similarity.value.value, "model_type": "SentenceTransformer",
    }  # fmt: skip


def _array(value: torch.Tensor) -> NDArray[np.float32]:
    return np.ascontiguousarray(value.detach().float().cpu().numpy())


def _json(path: Path, content: Mapping[str, Any] | list[Any]) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n", "utf-8")
