"""The modules of a sentence-transformers folder: which there are, in which order, and what each one's files say."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from isogloss.encoders.engines.weights import read_headers
from isogloss.encoders.model_plan import (
    Choice,
    DenseStep,
    LayerMean,
    LayerNormStep,
    NormaliseStep,
    PoolingMode,
    Step,
)  # fmt: skip
from isogloss.encoders.pooling import ACTIVATIONS
from isogloss.errors import ModelError, UnsupportedModelError

OWN_CODE = ("sentence_transformers.", "pylate.models.")
"""Where modules come from whose mechanism is written here; code of any other place is never run."""
_POOLING_FLAGS: Mapping[str, PoolingMode] = {
    # in the order in which sentence-transformers joins several modes
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
_TOKENS = "token_embeddings"


@dataclass(frozen=True, slots=True)
class ModuleEntry:
    """One module of ``modules.json`` (or of a router): its class name and its folder, relative to the model's."""

    kind: str
    path: str


@dataclass(frozen=True, slots=True)
class Chain:
    """A transformer's modules by what they do.

    Attributes
    ----------
    transformer
        Folder of the transformer.
    layers
        Folder of a ``WeightedLayerPooling``, or None.
    tokens
        Modules on token vectors, in order.
    pooling
        Folder of the pooling; None where no file names one.
    vectors
        Modules on pooled vectors, in order.
    """

    transformer: str = ""
    layers: str | None = None
    tokens: tuple[ModuleEntry, ...] = ()
    pooling: str | None = None
    vectors: tuple[ModuleEntry, ...] = ()


def read_json(path: Path) -> dict[str, Any]:
    """Return the content of a JSON file (what is no object under the key ``""``), or nothing where there is no file.

    Raises
    ------
    ModelError
        Where the file is not JSON.
    """
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ModelError(f"{path.name} is not JSON", f"{path}: {error}", "fetch the model again") from error
    return content if isinstance(content, dict) else {"": content}


def need_json(path: Path) -> dict[str, Any]:
    """Return the content of a JSON file that must be there.

    Raises
    ------
    ModelError
        Where it is not there, or is not JSON.
    """
    if not path.is_file():
        raise ModelError(
            f"the model has no {path.name}", f"looked for {path}", "give a model folder, or fetch it again"
        )
    return read_json(path)


def read_modules(folder: Path) -> list[ModuleEntry]:
    """Return the modules that ``modules.json`` names, in order; nothing where there is no such file.

    Both generations of module paths end in the class name, which is all that counts.

    Raises
    ------
    UnsupportedModelError
        Where a module comes from another library: code from a model folder is never run.
    ModelError
        Where a module's folder is outside the model.
    """
    entries = read_json(folder / "modules.json").get("", [])
    return [
        entry_of(str(item.get("type", "")), str(item.get("path", "")), folder)
        for item in sorted(entries, key=lambda item: int(item.get("idx", 0)))
    ]


def entry_of(kind: str, path: str, folder: Path) -> ModuleEntry:
    """Return a module by its full class name and its folder, both checked as in :func:`read_modules`."""
    if not kind.startswith(OWN_CODE):
        raise _unsupported(kind, folder, "; code from a model folder is never run")
    if Path(path).is_absolute() or ".." in Path(path).parts:
        raise ModelError("modules.json names a folder outside the model", path, "do not use this model")
    return ModuleEntry(kind.rpartition(".")[2], path)


def _unsupported(kind: str, folder: Path, more: str = "") -> UnsupportedModelError:
    return UnsupportedModelError(
        f"the module {kind} is not supported",
        f"modules.json of {folder} names it{more}",
        "use a model of Transformer, WeightedLayerPooling, Pooling, Dense, LayerNorm and Normalize modules",
    )


def read_chain(folder: Path, modules: Sequence[ModuleEntry]) -> Chain:
    """Sort the modules of a chain that begins with a transformer.

    Raises
    ------
    UnsupportedModelError
        Where a module is not known here, or stands where it makes no sense.
    """
    if not modules:
        return Chain()
    wrong = next((entry for entry in modules if entry.kind not in _PLACES), None)
    if wrong is not None:
        raise _unsupported(wrong.kind, folder)
    kinds = [entry.kind for entry in modules]
    pooled = kinds.index("Pooling") if "Pooling" in kinds else len(kinds)
    places = ["start", *("tokens" for _ in kinds[1:pooled]), *("pooling" for _ in kinds[pooled : pooled + 1])]
    places += ["vectors"] * (len(kinds) - len(places))
    layered = kinds.count("WeightedLayerPooling") if kinds[1:2] == ["WeightedLayerPooling"] else 0
    if any(place not in _PLACES[kind] for kind, place in zip(kinds, places, strict=True)) or (
        kinds.count("WeightedLayerPooling") != layered
    ):
        raise UnsupportedModelError(
            "the order of modules is not supported",
            f"modules.json of {folder} says {', '.join(kinds)}",
            "use a model that starts with Transformer, Pooling",
        )
    return Chain(
        modules[0].path, modules[1].path if layered else None, tuple(modules[1 + layered : pooled]),
        modules[pooled].path if pooled < len(kinds) else None, tuple(modules[pooled + 1 :]),
    )  # fmt: skip


_PLACES: Mapping[str, tuple[str, ...]] = {
    "Transformer": ("start",),
    "WeightedLayerPooling": ("tokens",),
    "Pooling": ("pooling",),
    "Dense": ("tokens", "vectors"),
    "Normalize": ("tokens", "vectors"),
    "LayerNorm": ("vectors",),
    "Dropout": ("tokens", "vectors"),
}


def read_pooling(
    folder: Path, path: str | None, notes: list[str]
) -> tuple[Choice[tuple[PoolingMode, ...]], Choice[bool]]:
    """Read the pooling of either generation: ``pooling_mode``, else the six booleans, else mean."""
    if path is None:
        notes.append("no modules.json: mean pooling, as sentence-transformers does")
        return Choice(("mean",), "default"), Choice(True, "default")
    source = f"{path}/config.json"
    config = need_json(folder / path / "config.json")
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


def read_layers(folder: Path, path: str | None, config: Mapping[str, Any], warnings: list[str]) -> LayerMean | None:
    """Read a ``WeightedLayerPooling``: its config must agree with its weights and with the transformer.

    sentence-transformers gives it the layers only where ``config.json`` says ``output_hidden_states``, and passes
    the last one on otherwise; the same is done here, with a warning.
    """
    if path is None:
        return None
    own = need_json(folder / path / "config.json")
    start, layers = int(own.get("layer_start", 4)), int(own.get("num_hidden_layers", 12))
    depth = int(config.get("num_hidden_layers", config.get("n_layers", layers)))
    place = read_headers(folder / path).get("layer_weights")
    if place is None or place.shape != (depth + 1 - start,) or not 0 <= start <= depth:
        found = "nothing" if place is None else f"{place.shape}"
        raise ModelError(
            f"the weights of {path} do not fit the transformer",
            f"layer_weights is {found}; {depth} layers from {start} on need {depth + 1 - start}", "fetch it again",
        )  # fmt: skip
    if not config.get("output_hidden_states"):
        warnings.append(
            f"{path} is left out, as sentence-transformers leaves it out: config.json does not say "
            "output_hidden_states, so that the last layer alone is pooled"
        )
        return None
    return LayerMean(folder / path, start, depth)


def read_steps(folder: Path, modules: Sequence[ModuleEntry], *, tokens: bool = False) -> tuple[Step, ...]:
    """Read the modules before (``tokens``) or behind the pooling; those that do nothing in use are left out.

    Raises
    ------
    ModelError
        Where a module's config contradicts its weights.
    UnsupportedModelError
        Where a module reads or writes something else, or has an unknown activation function.
    """
    steps: list[Step] = []
    for entry in modules:
        if entry.kind == "Dropout":
            continue
        config = need_json(folder / entry.path / "config.json") if entry.kind != "Normalize" else {}
        _check_places(entry, config or read_json(folder / entry.path / "config.json"), tokens)
        if entry.kind == "Dense":
            steps.append(_dense(folder / entry.path, config))
        elif entry.kind == "LayerNorm":
            steps.append(_layer_norm(folder / entry.path, int(config.get("dimension", 0))))
        else:
            steps.append(NormaliseStep())
    return tuple(steps)


def _check_places(entry: ModuleEntry, config: Mapping[str, Any], tokens: bool) -> None:
    """Check that a module reads and writes tokens before the pooling, and pooled vectors behind it."""
    own = _TOKENS if tokens else "sentence_embedding"
    read = config.get("module_input_name") or own
    written = config.get("module_output_name") or read
    if read != own or written != own:
        kind = "tokens" if read == _TOKENS else str(read)
        raise UnsupportedModelError(
            f"a {entry.kind} module on {kind} is not supported here",
            f"{entry.path} reads {read} and writes {written}, at its place in modules.json only {own} is there",
            "use another model",
        )  # fmt: skip


def _dense(folder: Path, config: Mapping[str, Any]) -> DenseStep:
    """Read a Dense module: its config must agree with the weights' shapes."""
    activation = str(config.get("activation_function", "torch.nn.modules.activation.Tanh"))
    short = activation.rpartition(".")[2]
    if not activation.startswith("torch.") or short not in ACTIVATIONS:
        raise UnsupportedModelError(
            f"the activation function {activation} is not supported",
            f"{folder.name}/config.json names it",
            f"known: {', '.join(sorted(ACTIVATIONS))}, of torch.nn",
        )
    outputs, inputs = int(config["out_features"]), int(config["in_features"])
    residual = bool(config.get("use_residual", False))
    shapes: dict[str, tuple[int, ...]] = {"linear.weight": (outputs, inputs)}
    shapes |= {"linear.bias": (outputs,)} if config.get("bias", True) else {}
    shapes |= {"residual.weight": (outputs, inputs)} if residual and inputs != outputs else {}
    _check_shapes(folder, shapes)
    return DenseStep(folder, inputs, outputs, bool(config.get("bias", True)), short, residual)


def _layer_norm(folder: Path, size: int) -> LayerNormStep:
    _check_shapes(folder, {"norm.weight": (size,), "norm.bias": (size,)})
    return LayerNormStep(folder, size)


def _check_shapes(folder: Path, shapes: Mapping[str, tuple[int, ...]]) -> None:
    tensors = read_headers(folder)
    for name, shape in shapes.items():
        if name not in tensors or tensors[name].shape != shape:
            found = tensors[name].shape if name in tensors else "nothing"
            raise ModelError(
                f"the weights of {folder.name} contradict its config.json",
                f"{name} is {found}, expected {shape}",
                "fetch it again",
            )


def width_after(width: int, steps: Sequence[Step]) -> int:
    """Return the components of a vector behind some steps.

    Raises
    ------
    ModelError
        Where a step takes another number of components than it gets.
    """
    for step in steps:
        if isinstance(step, NormaliseStep):
            continue
        takes = step.inputs if isinstance(step, DenseStep) else step.size
        if takes != width:
            raise ModelError(
                f"{step.folder.name} does not fit", f"it takes {takes} numbers, it gets {width}", "fetch it again"
            )
        width = step.outputs if isinstance(step, DenseStep) else width
    return width
