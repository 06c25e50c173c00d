"""What kind of model a folder holds, and the part that reads it, imported when it is needed."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, cast

from isogloss.encoders.model_modules import read_json
from isogloss.errors import UnsupportedModelError
from isogloss.protocols import Encoder

FolderKind = Literal["dense", "static", "static-chain", "sparse", "tokens", "router", "pairs"]

_OPENERS: Mapping[str, tuple[str, str]] = {
    "static-chain": ("static_chain", "open_static_chain"),
    "sparse": ("learned_sparse", "open_sparse"),
    "tokens": ("token_folder", "open_tokens"),
    "router": ("router", "open_router"),
}
_SPARSE = {"MLMTransformer", "SpladePooling", "SparseStaticEmbedding", "SparseAutoEncoder"}


def kind_of(folder: Path) -> FolderKind:
    """Say what a folder's files make of it; nothing but small JSON files is read.

    ``"dense"`` (a transformer with one vector a text), ``"static"`` (token vectors alone), ``"static-chain"`` (with
    more modules behind them, or prompts), ``"sparse"``, ``"tokens"`` (late interaction), ``"router"`` (queries and
    documents apart) or ``"pairs"`` (a cross-encoder).
    """
    entries = read_json(folder / "modules.json").get("", [])
    kinds = [str(item.get("type", "")).rpartition(".")[2] for item in entries]
    card = read_json(folder / "config_sentence_transformers.json")
    if {"Router", "Asym"} & set(kinds):
        return "router"
    if _SPARSE & set(kinds) or card.get("model_type") == "SparseEncoder":
        return "sparse"
    if _has_token_vectors(folder, kinds, card):
        return "tokens"
    if card.get("model_type") == "CrossEncoder":
        return "pairs"
    if "StaticEmbedding" in kinds:
        prompts = any((card.get("prompts") or {}).values())
        plain = not prompts and set(kinds) <= {"StaticEmbedding", "Normalize", "Dropout"}
        return "static" if plain and card.get("similarity_fn_name") in (None, "cosine") else "static-chain"
    return "dense"


def _has_token_vectors(folder: Path, kinds: list[str], card: Mapping[str, Any]) -> bool:
    if "MultiVectorMask" in kinds or card.get("model_type") in ("ColBERT", "MultiVectorEncoder"):
        return True
    return not kinds and "HF_ColBERT" in (read_json(folder / "config.json").get("architectures") or [])


def open_kind(
    kind: FolderKind, folder: Path, *, threads: int | None = None, max_length: int | None = None, name: str = ""
) -> Encoder:
    """Open a folder of a kind other than ``"dense"`` and ``"static"``, which open without a detour.

    Raises
    ------
    UnsupportedModelError
        For a cross-encoder, which scores pairs and has no vectors.
    """
    if kind not in _OPENERS:
        raise UnsupportedModelError(
            "a cross-encoder has no vectors", f"{folder.name} scores a query with a document",
            "use it to rerank: isogloss.rerank.cross_encoder.CrossEncoder(folder)",
        )  # fmt: skip
    module, function = _OPENERS[kind]
    opener: Callable[..., Any] = getattr(importlib.import_module(f"isogloss.encoders.{module}"), function)
    return cast(Encoder, opener(folder, threads=threads, max_length=max_length, name=name))
