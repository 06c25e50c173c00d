"""Encoders written as sentence-transformers folders, whatever generation or tool they were read from."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from isogloss.encoders.extended import ExtendedEncoder
from isogloss.encoders.learned_sparse import LearnedSparseEncoder, WeightedTokensEncoder
from isogloss.encoders.model_modules import read_json
from isogloss.encoders.model_plan import DenseStep, LayerMean, LayerNormStep, ModelPlan, Step
from isogloss.encoders.router import RoutedEncoder
from isogloss.encoders.static import StaticEncoder, write_arrays
from isogloss.encoders.static_chain import StaticChainEncoder
from isogloss.encoders.token_folder import LateInteractionEncoder
from isogloss.encoders.transformer import TransformerEncoder
from isogloss.errors import UnsupportedModelError, UsageError

_FLAGS = {
    "cls": "pooling_mode_cls_token",
    "mean": "pooling_mode_mean_tokens",
    "max": "pooling_mode_max_tokens",
    "mean_sqrt_len_tokens": "pooling_mode_mean_sqrt_len_tokens",
    "weightedmean": "pooling_mode_weightedmean_tokens",
    "lasttoken": "pooling_mode_lasttoken",
}
_OLD, _SPARSE = "sentence_transformers.models.", "sentence_transformers.sparse_encoder.models."
_MASK = "sentence_transformers.multi_vector_encoder.modules.multi_vector_mask.MultiVectorMask"
_TOKENIZER_FILES = ("special_tokens_map.json", "added_tokens.json", "vocab.txt", "vocab.json", "merges.txt", "*.model")


@dataclass(frozen=True, slots=True)
class Part:
    """One module to write: its class's full name, and what fills its folder."""

    kind: str
    write: Callable[[Path], None]

    @property
    def short(self) -> str:
        """The class's own name."""
        return self.kind.rpartition(".")[2]


def save_folder(encoder: Any, folder: str | Path, *, card: str = "") -> Path:
    """Write an encoder as a sentence-transformers folder, which it and the older generations read.

    Module paths are the old ones, which every generation knows; pooling is written by flags and by name; the
    tokenizer has neither cut nor padding of its own. Weights are copied as they are stored. The folder appears whole
    or not at all.

    Parameters
    ----------
    encoder
        A transformer encoder, a learned sparse one, one of weighted tokens, of late interaction, a static one, or a
        routed one of these.
    folder
        Where to; must not be there, or be empty.
    card
        Text of ``README.md``; none is written where it is empty.

    Raises
    ------
    UsageError
        Where ``folder`` is there and not empty.
    UnsupportedModelError
        Where sentence-transformers has no modules for what the encoder does.

    Examples
    --------
    With a model on the machine (``isogloss pull minilm``)::

        save_folder(load_encoder("minilm"), "copy")
    """

    def fill(place: Path) -> None:
        if isinstance(encoder, RoutedEncoder):
            _write_router(encoder, place)
        else:
            write_parts(parts_of(encoder), place)
        write_json(place / "config_sentence_transformers.json", _card(encoder))
        if card:
            (place / "README.md").write_text(card, "utf-8")

    return written_aside(Path(folder), fill)


def written_aside(folder: Path, fill: Callable[[Path], None]) -> Path:
    """Let ``fill`` write into a new folder beside ``folder``, then rename it; an error leaves nothing behind."""
    folder = folder.expanduser().absolute()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder.name} is there already", "nothing is replaced", "choose another folder")
    partial = folder.with_name(f".{folder.name}.new-{os.getpid()}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        fill(partial)
        if folder.exists():
            folder.rmdir()
        partial.rename(folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return folder


def parts_of(encoder: Any) -> list[Part]:
    """Return the modules of an encoder, in order."""
    if isinstance(encoder, TransformerEncoder):
        return _dense_parts(encoder)
    if isinstance(encoder, LateInteractionEncoder):
        return _token_parts(encoder)
    if isinstance(encoder, LearnedSparseEncoder):
        said = {
            "pooling_strategy": encoder.pooling.strategy,
            "activation_function": "log1p_relu" if encoder.pooling.twice else "relu",
        }
        first = Part(_SPARSE + "MLMTransformer", _transformer_writer(encoder.base))
        return [first, Part(_SPARSE + "SpladePooling", _config_writer(said))]
    if isinstance(encoder, WeightedTokensEncoder):
        return [Part(_SPARSE + "SparseStaticEmbedding", lambda place: _write_weighted(encoder, place))]
    if isinstance(encoder, StaticEncoder):
        return [_static_part(encoder), *([_normalise(False)] if encoder.finish == "unit" else [])]
    if isinstance(encoder, StaticChainEncoder):
        return [_static_part(encoder.base), *_step_parts(encoder.steps)]
    raise UnsupportedModelError(
        f"a {type(encoder).__name__} has no form as a sentence-transformers folder", "no module there does the same",
        "save the encoder that it is made of",
    )  # fmt: skip


def write_parts(parts: Sequence[Part], folder: Path) -> None:
    """Write modules and ``modules.json``: the first one into the folder itself, the others beside it."""
    paths = ["", *(f"{i}_{part.short}" for i, part in enumerate(parts) if i)]
    for part, path in zip(parts, paths, strict=True):
        (folder / path).mkdir(exist_ok=True)
        part.write(folder / path)
    entries = [
        {"idx": i, "name": str(i), "path": path, "type": part.kind}
        for i, (part, path) in enumerate(zip(parts, paths, strict=True))
    ]
    write_json(folder / "modules.json", entries)


def _write_router(encoder: RoutedEncoder, folder: Path) -> None:
    structure: dict[str, list[str]] = {}
    types: dict[str, str] = {}
    for route, one in (("query", encoder.query), ("document", encoder.document)):
        structure[route] = []
        for i, part in enumerate(parts_of(one)):
            name = f"{route}_{i}_{part.short}"
            (folder / name).mkdir()
            part.write(folder / name)
            structure[route].append(name)
            types[name] = part.kind
    default = {id(encoder.query): "query", id(encoder.document): "document"}.get(id(encoder.plain))
    if encoder.plain is not None and default is None:
        raise UnsupportedModelError("this router has a third way", "texts without a role have modules of their own")
    settings = {"default_route": default, "allow_empty_key": default is not None}
    write_json(folder / "router_config.json", {"types": types, "structure": structure, "parameters": settings})
    entries = [{"idx": 0, "name": "0", "path": "", "type": _OLD + "Router"}]
    write_json(folder / "modules.json", entries)


def _dense_parts(encoder: TransformerEncoder) -> list[Part]:
    plan = encoder.plan
    modes = list(plan.pooling.value)
    width = plan.token_width
    said = {
        "word_embedding_dimension": width, "embedding_dimension": width,
        **{flag: mode in modes for mode, flag in _FLAGS.items()},
        "pooling_mode": modes[0] if len(modes) == 1 else modes, "include_prompt": plan.include_prompt.value,
    }  # fmt: skip
    return [
        Part(_OLD + "Transformer", _transformer_writer(encoder)),
        *([_layers_part(plan.layers, plan)] if plan.layers else []),
        *_step_parts(plan.token_steps, tokens=True),
        Part(_OLD + "Pooling", _config_writer(said)),
        *_step_parts(plan.steps.value),
    ]


def _token_parts(encoder: LateInteractionEncoder) -> list[Part]:
    said = encoder.settings.to_dict()
    own = {key: said[key] for key in ("query_length", "document_length", "query_expansion")}
    mask = {key: said[key] for key in ("skiplist_words", "skiplist_tasks", "keep_only_token_ids")}
    first = Part(_OLD + "Transformer", _transformer_writer(encoder.base, encoder.tokenizer_json(), own))
    return [first, *_step_parts(encoder.plan.token_steps, tokens=True), Part(_MASK, _config_writer(mask))]


def _step_parts(steps: Sequence[Step], *, tokens: bool = False) -> list[Part]:
    return [
        _dense_part(step, tokens) if isinstance(step, DenseStep)
        else _copied(_OLD + "LayerNorm", step.folder, {"dimension": step.size}) if isinstance(step, LayerNormStep)
        else _normalise(tokens)
        for step in steps
    ]  # fmt: skip


def _dense_part(step: DenseStep, tokens: bool) -> Part:
    part = "linear" if step.activation == "Identity" else "activation"
    said: dict[str, Any] = {
        "in_features": step.inputs, "out_features": step.outputs, "bias": step.bias,
        "activation_function": f"torch.nn.modules.{part}.{step.activation}",
    }  # fmt: skip
    said |= {"use_residual": True} if step.residual else {}
    said |= {"module_input_name": "token_embeddings"} if tokens else {}
    names = ("linear.weight", "linear.bias", "residual.weight")
    return _copied(_OLD + "Dense", step.folder, said, names)


def _normalise(tokens: bool) -> Part:
    return Part(_OLD + "Normalize", _config_writer({"module_input_name": "token_embeddings"}) if tokens else _nothing)


def _layers_part(layers: LayerMean, plan: ModelPlan) -> Part:
    width = plan.architecture.width if plan.architecture else 0
    said = {
        "word_embedding_dimension": width, "embedding_dimension": width, "layer_start": layers.start,
        "num_hidden_layers": layers.layers,
    }  # fmt: skip
    return _copied(_OLD + "WeightedLayerPooling", layers.folder, said)


def _copied(kind: str, source: Path, said: Mapping[str, Any], names: Sequence[str] = ()) -> Part:
    """Return a module whose config is written and whose tensors (all, or those of some names) are written again."""

    def write(place: Path) -> None:
        from isogloss.encoders.engines.weights import read_headers

        found = read_headers(source)
        tensors = {name: place.read() for name, place in found.items() if not names or name in names}
        write_json(place / "config.json", said)
        write_arrays(place / "model.safetensors", tensors, {"format": "pt"})

    return Part(kind, write)


def _config_writer(said: Mapping[str, Any]) -> Callable[[Path], None]:
    return lambda place: write_json(place / "config.json", said)


def _nothing(place: Path) -> None:
    """Leave a module's folder empty."""


def _transformer_writer(
    encoder: TransformerEncoder, tokenizer: str | None = None, more: Mapping[str, Any] | None = None
) -> Callable[[Path], None]:
    if isinstance(encoder, ExtendedEncoder):
        raise UnsupportedModelError(
            "an encoder with a longer window has no form as a sentence-transformers folder",
            f"texts up to {encoder.extension.trained} tokens are read with other positions than longer ones",
            "save the encoder that was extended, and extend it where it is loaded",
        )

    def write(place: Path) -> None:
        copy_transformer(encoder.plan, place, tokenizer or encoder.tokenizer.tokenizer.to_str())
        lengths = {"max_seq_length": encoder.window, "do_lower_case": encoder.plan.lower_case.value}
        write_json(place / "sentence_bert_config.json", {**lengths, **(more or {})})

    return write


def copy_transformer(plan: ModelPlan, folder: Path, tokenizer: str) -> None:
    """Copy configuration and weights of a transformer; write its tokenizer, which cuts at the plan's length.

    Raises
    ------
    UnsupportedModelError
        Where the model runs from an ONNX file.
    """
    if plan.architecture is None:
        raise UnsupportedModelError(
            "a model without weights cannot be saved", f"{plan.name} runs from an ONNX file", "copy its folder"
        )
    source = plan.transformer
    for pattern in ("config.json", "*.safetensors", "*.safetensors.index.json", *_TOKENIZER_FILES):
        for file in source.glob(pattern):
            shutil.copyfile(file, folder / file.name)
    (folder / "tokenizer.json").write_text(tokenizer, "utf-8")
    settings = read_json(source / "tokenizer_config.json")
    settings.setdefault("tokenizer_class", "PreTrainedTokenizerFast")
    write_json(
        folder / "tokenizer_config.json",
        settings | {"model_max_length": plan.max_length.value, "truncation_side": plan.truncation_side.value},
    )


def _static_part(encoder: StaticEncoder) -> Part:
    if encoder.skip_unknown or encoder.finish == "sum":
        raise UnsupportedModelError(
            "sentence-transformers cannot do what this static model does",
            "it leaves unknown tokens out of the mean" if encoder.skip_unknown else "it adds token vectors up",
            "save it with its own save(), which model2vec reads, too",
        )  # fmt: skip

    def write(place: Path) -> None:
        rows = encoder.vectors.rows.astype(np.float32) * encoder.vectors.weights[:, None]
        write_arrays(place / "model.safetensors", {"embedding.weight": rows}, {"format": "pt"})
        (place / "tokenizer.json").write_text(encoder.pieces.to_json(), "utf-8")

    return Part(_OLD + "StaticEmbedding", write)


def _write_weighted(encoder: WeightedTokensEncoder, place: Path) -> None:
    write_json(place / "config.json", {"frozen": True})
    write_arrays(place / "model.safetensors", {"weight": encoder.weights.astype(np.float32)}, {"format": "pt"})
    (place / "tokenizer.json").write_text(encoder.tokenizer.tokenizer.to_str(), "utf-8")
    settings: dict[str, Any] = {"tokenizer_class": "PreTrainedTokenizerFast", **encoder.tokenizer_settings}
    write_json(place / "tokenizer_config.json", settings)


def _card(encoder: Any) -> dict[str, Any]:
    inner = encoder.document if isinstance(encoder, RoutedEncoder) else encoder
    kind = {"sparse": "SparseEncoder", "tokens": "MultiVectorEncoder"}.get(inner.kind, "SentenceTransformer")
    plan = getattr(inner, "plan", None)
    said = dict(plan.prompts.value) if isinstance(plan, ModelPlan) else dict(getattr(inner, "prompts", {}))
    if isinstance(encoder, RoutedEncoder):
        said["query"] = _card(encoder.query)["prompts"].get("query", "")
    prompts = {role: said.get(role, "") for role in ("query", "document")}
    plain = said.get("", "")
    return {
        "prompts": prompts | ({"default": plain} if plain else {}), "default_prompt_name": "default" if plain else None,
        "similarity_fn_name": inner.similarity.value, "model_type": kind,
    }  # fmt: skip


def write_json(path: Path, content: Mapping[str, Any] | list[Any]) -> None:
    """Write JSON, indented by two."""
    path.write_text(json.dumps(content, indent=2) + "\n", "utf-8")
