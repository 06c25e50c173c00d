"""The one resolver of model folders: reads every file that says something, and decides by one order of precedence."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from isogloss.arrays import Similarity
from isogloss.encoders.engines.architectures import MODEL_TYPES, Architecture, read_architecture
from isogloss.encoders.engines.weights import read_headers
from isogloss.encoders.model_card import card_languages, known_prefixes
from isogloss.encoders.model_plan import Choice, DenseStep, ModelPlan, NormaliseStep, PoolingMode, Step
from isogloss.encoders.pooling import ACTIVATIONS
from isogloss.errors import ModelError, UnsupportedModelError, UsageError

_LENGTH_FILES = tuple(
    f"sentence_{kind}_config.json"
    for kind in ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
)
_POOLING_FLAGS: Mapping[str, PoolingMode] = {
    # in the order in which sentence-transformers joins several modes
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
IGNORED_CUT = "tokenizer.json (ignored)"
_NO_LIMIT = 1_000_000  # tokenizers without a limit of their own are saved with 10^30


def resolve(folder: str | Path, *, max_length: int | None = None, name: str = "") -> ModelPlan:
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
    modules = _modules(folder)
    transformer = folder / modules[0][1]
    config = _need(transformer / "config.json")
    own, onnx = _engine(config, transformer)
    positions = own.positions if own else _positions(config)
    name = name or _name(folder)
    card = _read(folder / "config_sentence_transformers.json")
    sentence = next(((file, found) for file in _LENGTH_FILES if (found := _read(transformer / file))), ("", {}))
    tokenizer = _read(transformer / "tokenizer_config.json")
    _need_tokenizer(transformer)
    notes: list[str] = []
    length = _max_length(max_length, sentence, tokenizer, positions, notes)
    cut = _ignored_cut(transformer / "tokenizer.json")
    if cut:
        length = replace(length, said=(*length.said, (IGNORED_CUT, cut)))
    pooling, include = _pooling(folder, modules, notes)
    steps = _steps(folder, modules)
    prompts, warnings = _prompts(card, name, str(config.get("_name_or_path", "")), notes)
    lower = bool(sentence[1].get("do_lower_case", False))
    side = "left" if tokenizer.get("truncation_side") == "left" else "right"
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
        steps=steps,
        similarity=_similarity(card),
        lower_case=Choice(lower, sentence[0] if lower else "default"),
        truncation_side=Choice(
            cast(Any, side), "tokenizer_config.json" if "truncation_side" in tokenizer else "default"
        ),
        dimensions=_dimensions(
            own.width if own else int(config.get("hidden_size", config.get("dim", 0))), pooling, steps
        ),
        languages=card_languages(folder),
        notes=tuple(notes),
        warnings=tuple(warnings),
    )


def _read(path: Path) -> dict[str, Any]:
    """Return the content of a JSON file, or nothing where there is no such file."""
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ModelError(f"{path.name} is not JSON", f"{path}: {error}", "fetch the model again") from error
    return content if isinstance(content, dict) else {"": content}


def _need(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise ModelError(
            f"the model has no {path.name}", f"looked for {path}", "give a model folder, or fetch it again"
        )
    return _read(path)


def _need_tokenizer(folder: Path) -> None:
    if not (folder / "tokenizer.json").is_file():
        fix = "fetch the model again, or save its fast tokenizer"
        raise ModelError("the model has no tokenizer.json", f"looked in {folder}", fix)


def _modules(folder: Path) -> list[tuple[str, str]]:
    """Return ``(kind, path)`` of the modules in order; both generations of module paths end in the class name."""
    entries = _read(folder / "modules.json").get("", [])
    if not entries:
        return [("Transformer", ""), ("Pooling", "")]
    modules = []
    for entry in sorted(entries, key=lambda item: int(item.get("idx", 0))):
        kind = str(entry.get("type", ""))
        short = kind.rpartition(".")[2]
        if not kind.startswith("sentence_transformers.") or short not in (
            "Transformer",
            "Pooling",
            "Dense",
            "Normalize",
            "Dropout",
        ):
            code = "" if kind.startswith("sentence_transformers.") else "; code from a model folder is never run"
            raise UnsupportedModelError(
                f"the module {kind} is not supported",
                f"modules.json of {folder} names it{code}",
                "use a model of Transformer, Pooling, Dense and Normalize modules",
            )
        path = str(entry.get("path", ""))
        if Path(path).is_absolute() or ".." in Path(path).parts:
            raise ModelError("modules.json names a folder outside the model", path, "do not use this model")
        modules.append((short, path))
    kinds = [kind for kind, _ in modules]
    if kinds[:2] != ["Transformer", "Pooling"] or kinds.count("Transformer") > 1 or kinds.count("Pooling") > 1:
        raise UnsupportedModelError(
            "the order of modules is not supported",
            f"modules.json of {folder} says {', '.join(kinds)}",
            "use a model that starts with Transformer, Pooling",
        )
    return modules


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


def _pooling(
    folder: Path, modules: list[tuple[str, str]], notes: list[str]
) -> tuple[Choice[tuple[PoolingMode, ...]], Choice[bool]]:
    """Read the pooling of either generation: ``pooling_mode``, else the six booleans, else mean."""
    path = modules[1][1]
    if not path:
        notes.append("no modules.json: mean pooling, as sentence-transformers does")
        return Choice(("mean",), "default"), Choice(True, "default")
    source = f"{path}/config.json"
    config = _need(folder / path / "config.json")
    flags = tuple(mode for key, mode in _POOLING_FLAGS.items() if config.get(key))
    new = config.get("pooling_mode")
    named = () if new is None else (new,) if isinstance(new, str) else tuple(new)
    wrong = [mode for mode in named if mode not in _POOLING_FLAGS.values()]
    if wrong:
        raise UnsupportedModelError(
            f"the pooling mode {wrong[0]} is not supported",
            f"{source} names it",
            f"known: {', '.join(_POOLING_FLAGS.values())}",
        )
    said = tuple(item for item in ((f"{source} pooling_mode", named), (f"{source} booleans", flags)) if item[1])
    if named and flags and named != flags:
        notes.append(f"{source} contradicts itself: pooling_mode {'+'.join(named)}, booleans {'+'.join(flags)}")
    winner = said[0] if said else ("default", ("mean",))
    include = config.get("include_prompt")
    return (
        Choice(cast("tuple[PoolingMode, ...]", winner[1]), winner[0], said),
        Choice(bool(include if include is not None else True), source if include is not None else "default"),
    )


def _steps(folder: Path, modules: list[tuple[str, str]]) -> Choice[tuple[Step, ...]]:
    steps: list[Step] = []
    for kind, path in modules[2:]:
        if kind == "Dense":
            steps.append(_dense(folder / path))
        elif kind == "Normalize":
            steps.append(NormaliseStep())
    return Choice(tuple(steps), "modules.json" if len(modules) > 2 else "default")


def _dense(folder: Path) -> DenseStep:
    """Read a Dense module: its config must agree with the weights' shapes."""
    config = _need(folder / "config.json")
    activation = str(config.get("activation_function", "torch.nn.modules.activation.Tanh"))
    ours = ACTIVATIONS.get(activation.rpartition(".")[2]) if activation.startswith("torch.") else None
    if ours is None:
        raise UnsupportedModelError(
            f"the activation function {activation} is not supported",
            f"{folder.name}/config.json names it",
            f"known: {', '.join(sorted(ACTIVATIONS))}, of torch.nn",
        )
    if config.get("module_input_name", "sentence_embedding") != "sentence_embedding":
        raise UnsupportedModelError(
            "a Dense module on tokens is not supported",
            f"{folder.name} reads {config['module_input_name']}",
            "use another model",
        )
    tensors = read_headers(folder)
    outputs, inputs = int(config["out_features"]), int(config["in_features"])
    residual = bool(config.get("use_residual", False))
    shapes: dict[str, tuple[int, ...]] = {"linear.weight": (outputs, inputs)}
    shapes |= {"linear.bias": (outputs,)} if config.get("bias", True) else {}
    shapes |= {"residual.weight": (outputs, inputs)} if residual and inputs != outputs else {}
    for name, shape in shapes.items():
        if name not in tensors or tensors[name].shape != shape:
            found = tensors[name].shape if name in tensors else "nothing"
            raise ModelError(
                f"the weights of {folder.name} contradict its config.json",
                f"{name} is {found}, expected {shape}",
                "fetch it again",
            )
    return DenseStep(folder, inputs, outputs, bool(config.get("bias", True)), activation.rpartition(".")[2], residual)


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


def _dimensions(width: int, pooling: Choice[tuple[PoolingMode, ...]], steps: Choice[tuple[Step, ...]]) -> int:
    dimensions = width * len(pooling.value)
    for step in steps.value:
        if isinstance(step, DenseStep):
            if step.inputs != dimensions:
                raise ModelError(
                    f"{step.folder.name} does not fit",
                    f"it takes {step.inputs} numbers, it gets {dimensions}",
                    "fetch it again",
                )
            dimensions = step.outputs
    return dimensions
