"""The one resolver of model folders: reads every file that says something, and decides by one order of precedence."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from isogloss.arrays import Similarity
from isogloss.encoders.engines.architectures import MODEL_TYPES, ROTARY_TYPES, Architecture, read_architecture
from isogloss.encoders.engines.shapes import SHAPE_TYPES, Shape, read_shape, unknown_kind
from isogloss.encoders.engines.weights import read_headers
from isogloss.encoders.model_card import card_languages, known_prefixes
from isogloss.encoders.model_modules import (
    Chain,
    need_json,
    read_chain,
    read_json,
    read_layers,
    read_modules,
    read_pooling,
    read_steps,
    width_after,
)  # fmt: skip
from isogloss.encoders.model_plan import Choice, ModelPlan
from isogloss.errors import ModelError, UnsupportedModelError, UsageError

_LENGTH_FILES = tuple(
    f"sentence_{kind}_config.json"
    for kind in ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
)
IGNORED_CUT = "tokenizer.json (ignored)"
_NO_LIMIT = 1_000_000  # tokenizers without a limit of their own are saved with 10^30


def resolve(
    folder: str | Path,
    *,
    max_length: int | None = None,
    name: str = "",
    chain: Chain | None = None,
    similarity: Similarity | None = None,
) -> ModelPlan:
    """Decide how to encode with a sentence-transformers or transformers folder; reads headers, never weights.

    Maximum length: ``max_length``, else ``sentence_bert_config.json``, else ``tokenizer_config.json``, else the
    position table, never more than that table; truncation and padding in ``tokenizer.json`` are ignored.

    Parameters
    ----------
    folder
        Folder with ``modules.json``, or with ``config.json`` alone (then: mean pooling, with a note).
    max_length
        The user's maximum length in tokens, special ones included.
    name
        Name of the model, where it is known better than from the folder.
    chain
        The modules, where the caller has read them (a branch of a router, a transformer without pooling); else those
        of ``modules.json``, which must have a pooling.
    similarity
        How vectors are compared, where the caller knows; else what ``config_sentence_transformers.json`` says.

    Raises
    ------
    ModelError
        Where a file is missing, damaged, or contradicts another one.
    UnsupportedModelError
        Where architecture, module, activation function or weights' format is not supported.
    UsageError
        Where ``max_length`` is above the model's positions or below one.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ModelError("the model folder is not there", f"{folder} is not a folder", "check the path")
    chain = chain or _dense_chain(folder)
    transformer = folder / chain.transformer
    config = need_json(transformer / "config.json")
    own, onnx = _engine(config, transformer)
    positions = own.positions if own else _positions(config)
    name = name or _name(folder)
    card = read_json(folder / "config_sentence_transformers.json")
    notes: list[str] = []
    length, lower, side = _reading(transformer, max_length, positions, notes)
    pooling, include = read_pooling(folder, chain.pooling, notes)
    token_steps, steps = read_steps(folder, chain.tokens, tokens=True), read_steps(folder, chain.vectors)
    prompts, warnings = _prompts(card, name, str(config.get("_name_or_path", "")), notes)
    layers = read_layers(folder, chain.layers, config, warnings)
    width = width_after(own.width if own else int(config.get("hidden_size", config.get("dim", 0))), token_steps)
    return ModelPlan(
        folder=folder,
        transformer=transformer,
        name=name,
        model_type=str(config.get("model_type", "")),
        architecture=own,
        onnx=onnx,
        max_length=length,
        pooling=pooling,
        include_prompt=include,
        prompts=prompts,
        steps=Choice(steps, "modules.json" if chain.vectors else "default"),
        similarity=Choice(similarity, "kind of model") if similarity else _similarity(card),
        lower_case=lower,
        truncation_side=side,
        dimensions=width_after(width * len(pooling.value), steps),
        languages=card_languages(folder),
        notes=tuple(notes),
        warnings=tuple(warnings),
        layers=layers,
        token_steps=token_steps,
    )


def resolve_any(
    folder: str | Path,
    *,
    max_length: int | None = None,
    name: str = "",
    chain: Chain | None = None,
    similarity: Similarity | None = None,
) -> ModelPlan:
    """Decide how to encode with a folder of any shape that graphs are written for; arguments as those of ``resolve``.

    Raises
    ------
    ModelError
        As :func:`resolve`.
    UnsupportedModelError
        As :func:`resolve`; the message names every kind that is supported.
    UsageError
        As :func:`resolve`.
    """
    folder = Path(folder)
    chain = chain or (_dense_chain(folder) if folder.is_dir() else Chain())
    config = read_json(folder / chain.transformer / "config.json")
    kind = str(config.get("model_type", ""))
    if kind in SHAPE_TYPES:
        transformer = folder / chain.transformer
        try:
            shape = read_shape(config)
            read_headers(transformer)
            return _plan_of(folder, name or _name(folder), chain, config, shape, max_length, similarity)
        except ModelError:
            if not any(transformer.glob("*.onnx")) and not any((transformer / "onnx").glob("*.onnx")):
                raise
    try:
        return resolve(folder, max_length=max_length, name=name, chain=chain, similarity=similarity)
    except UnsupportedModelError as error:
        if config and kind not in {**MODEL_TYPES, **ROTARY_TYPES, **SHAPE_TYPES} and "architecture" in error.what:
            raise unknown_kind(config) from error
        raise


def _plan_of(
    folder: Path, name: str, chain: Chain, config: Mapping[str, Any], shape: Shape, asked: int | None,
    similarity: Similarity | None,
) -> ModelPlan:  # fmt: skip
    """Return the plan of a model of one of the further shapes; all that is not its shape is read as in ``resolve``."""
    card, notes = read_json(folder / "config_sentence_transformers.json"), list[str]()
    transformer = folder / chain.transformer
    # without a table of positions there is no longest input, only a usual one for folders that name none
    said = asked or any("max_seq_length" in read_json(transformer / file) for file in _LENGTH_FILES)
    positions = 0 if said and not shape.names.position else shape.positions
    length, lower, side = _reading(transformer, asked, positions, notes)
    pooling, include = read_pooling(folder, chain.pooling, notes)
    token_steps, steps = read_steps(folder, chain.tokens, tokens=True), read_steps(folder, chain.vectors)
    prompts, warnings = _prompts(card, name, str(config.get("_name_or_path", "")), notes)
    layers = read_layers(folder, chain.layers, {**config, "num_hidden_layers": shape.layers}, warnings)
    width = width_after(shape.width, token_steps)
    return ModelPlan(
        folder, transformer, name, shape.model_type, shape, None, length, pooling, include, prompts,
        Choice(steps, "modules.json" if chain.vectors else "default"),
        Choice(similarity, "kind of model") if similarity else _similarity(card), lower, side,
        width_after(width * len(pooling.value), steps), card_languages(folder), tuple(notes), tuple(warnings),
        layers, token_steps,
    )  # fmt: skip


def _reading(
    transformer: Path, max_length: int | None, positions: int, notes: list[str]
) -> tuple[Choice[int], Choice[bool], Choice[Any]]:
    """Return how texts are read: the longest one in tokens, whether in lower case, and where they are cut."""
    sentence = next(((file, found) for file in _LENGTH_FILES if (found := read_json(transformer / file))), ("", {}))
    tokenizer = read_json(transformer / "tokenizer_config.json")
    _need_tokenizer(transformer)
    length = _max_length(max_length, sentence, tokenizer, positions, notes)
    cut = _ignored_cut(transformer / "tokenizer.json")
    if cut:
        length = replace(length, said=(*length.said, (IGNORED_CUT, cut)))
    lower = bool(sentence[1].get("do_lower_case", False))
    side = "left" if tokenizer.get("truncation_side") == "left" else "right"
    said = "tokenizer_config.json" if "truncation_side" in tokenizer else "default"
    return length, Choice(lower, sentence[0] if lower else "default"), Choice(side, said)


def _dense_chain(folder: Path) -> Chain:
    """Return the modules of a model that gives one dense vector a text."""
    modules = read_modules(folder)
    chain = read_chain(folder, modules)
    if modules and chain.pooling is None:
        raise UnsupportedModelError(
            "the order of modules is not supported",
            f"modules.json of {folder} says {', '.join(entry.kind for entry in modules)}",
            "use a model that starts with Transformer, Pooling",
        )
    return chain


def _need_tokenizer(folder: Path) -> None:
    if not (folder / "tokenizer.json").is_file():
        fix = "fetch the model again, or save its fast tokenizer"
        raise ModelError("the model has no tokenizer.json", f"looked in {folder}", fix)


def _name(folder: Path) -> str:
    """Return the model's name from its folder; a snapshot in the hub cache is named after its repository."""
    path = folder.resolve() if folder.name in ("", ".", "..") else folder
    for parent in path.parents:
        if parent.name.startswith("models--"):
            return parent.name.removeprefix("models--").replace("--", "/")
    return path.name


def _engine(config: Mapping[str, Any], folder: Path) -> tuple[Architecture | None, Path | None]:
    """Choose our own graph where shape and weights allow it, else the folder's ONNX file."""
    files = [folder / "onnx" / "model.onnx", folder / "model.onnx", *sorted((folder / "onnx").glob("*.onnx"))]
    onnx = next((path for path in files if path.is_file()), None)
    try:
        architecture = read_architecture(config)
        read_headers(folder)
    except ModelError:
        if onnx is None:
            raise
        return None, onnx
    return architecture, None


def _positions(config: Mapping[str, Any]) -> int:
    """Return the usable positions of a model that only its ONNX file knows; 0 where nothing says."""
    rows = int(config.get("max_position_embeddings") or 0)
    offset = MODEL_TYPES.keys() & {str(config.get("model_type"))} - {"bert", "distilbert"}
    return rows - (int(config.get("pad_token_id", 1)) + 1 if offset else 0) if rows > 0 else 0


def _max_length(
    asked: int | None,
    sentence: tuple[str, Mapping[str, Any]],
    tokenizer: Mapping[str, Any],
    positions: int,
    notes: list[str],
) -> Choice[int]:
    file, found = sentence
    nested = found.get("processor_kwargs") or found.get("tokenizer_args") or {}
    candidates = [
        ("max_length given by the user", asked),
        (file, found.get("max_seq_length") or nested.get("model_max_length")),
        ("tokenizer_config.json", tokenizer.get("model_max_length")),
        ("positions of config.json", positions or None),
    ]
    said = tuple((source, int(value)) for source, value in candidates if value is not None and value < _NO_LIMIT)
    if asked is not None and (asked < 1 or (positions and asked > positions)):
        raise UsageError(
            f"a maximum length of {asked} tokens is not possible",
            f"the model has {positions} positions",
            f"use 1 to {positions}",
        )
    if not said:
        raise ModelError("nothing says how long an input may be", "no length in any config file", "give max_length")
    source, value = said[0]
    if positions and value > positions:
        notes.append(f"{source} says {value} tokens, but the model has {positions} positions: {positions} is used")
        source, value = "positions of config.json", positions
    return Choice(value, source, said)


def _ignored_cut(file: Path) -> int:
    """Return the length at which ``tokenizer.json`` itself would cut, which nothing here does; 0 for none.

    It stands at the file's start; reading all of it would cost more than the rest of the resolver.
    """
    if not file.is_file():
        return 0
    with file.open("rb") as opened:
        start = opened.read(4096).decode("utf-8", "replace")
    found = re.search(r'"truncation"\s*:\s*\{[^}]*"max_length"\s*:\s*(\d+)', start)
    return int(found[1]) if found else 0


def _prompts(
    card: Mapping[str, Any], name: str, ancestor: str, notes: list[str]
) -> tuple[Choice[Mapping[str, str]], list[str]]:
    """Decide the prompt of each role, by the order that sentence-transformers documents.

    Queries take ``query``; documents the first of ``document``, ``passage``, ``corpus``; the default prompt is for
    inputs without a role only, so that documents never get a query's prompt.
    """
    saved = {str(key): str(value or "") for key, value in (card.get("prompts") or {}).items()}
    default = card.get("default_prompt_name")
    if default is not None and default not in saved:
        raise ModelError(
            "config_sentence_transformers.json contradicts itself",
            f"the default prompt {default} is not among {', '.join(sorted(saved)) or 'its prompts (none)'}",
            "correct the file",
        )
    plain = saved.get(str(default), "")
    document = next((saved[key] for key in ("document", "passage", "corpus") if key in saved), "")
    prompts = {"query": saved.get("query", ""), "document": document, "": plain}
    if document and "document" not in saved:
        notes.append(
            f"documents get {document!r}; sentence-transformers 6.2 looks for the name 'document' and uses none"
        )
    said: tuple[tuple[str, Any], ...] = (("config_sentence_transformers.json", saved),) if saved else ()
    warnings = []
    family = known_prefixes(name) or known_prefixes(ancestor)
    if family and not any(saved.values()):
        warnings.append(
            f"models like {name} were trained with {family[0]!r} in front of queries and {family[1]!r} in front of "
            "documents, but the folder has no prompts: none are used"
        )
        said += (("known for this family, not used", {"query": family[0], "document": family[1]}),)
    return Choice(prompts, "config_sentence_transformers.json" if saved else "default", said), warnings


def _similarity(card: Mapping[str, Any]) -> Choice[Similarity]:
    named = card.get("similarity_fn_name")
    known = {None: Similarity.COSINE, "cosine": Similarity.COSINE, "dot": Similarity.DOT, "dot_product": Similarity.DOT}
    if named not in known:
        raise UnsupportedModelError(
            f"the similarity {named} is not supported",
            "config_sentence_transformers.json names it",
            "known: cosine, dot",
        )
    return Choice(known[named], "config_sentence_transformers.json" if named else "default")


def read_prompts(folder: Path, name: str = "") -> dict[str, str]:
    """Return the prompt of each role (``"query"``, ``"document"``, ``""``: none) that a model's folder declares."""
    return dict(_prompts(read_json(folder / "config_sentence_transformers.json"), name, "", [])[0].value)


def read_similarity(folder: Path, otherwise: Similarity) -> Similarity:
    """Return how a model's vectors are compared; ``otherwise`` where its folder does not say."""
    found = _similarity(read_json(folder / "config_sentence_transformers.json"))
    return found.value if found.source != "default" else otherwise


def unpooled(plan: ModelPlan, dimensions: int) -> ModelPlan:
    """Return the plan of a model that pools nothing, or in a way of its own: sparse, late interaction, of pairs."""
    notes = tuple(note for note in plan.notes if "mean pooling" not in note)
    return replace(plan, pooling=Choice((), "kind of model"), dimensions=dimensions, notes=notes)
