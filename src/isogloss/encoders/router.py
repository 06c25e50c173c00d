"""Models that send queries and documents through modules of their own (asymmetric encoders)."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, cast

from isogloss.arrays import Similarity, Vectors
from isogloss.encoders.learned_sparse import open_sparse
from isogloss.encoders.model_folder import resolve_any
from isogloss.encoders.model_modules import ModuleEntry, entry_of, need_json, read_chain, read_json, read_modules
from isogloss.encoders.shaped_transformer import encoder_of
from isogloss.encoders.static_chain import open_static_chain
from isogloss.encoders.surface import EncoderSurface
from isogloss.errors import ModelError, UnsupportedModelError, UsageError
from isogloss.protocols import Encoder, EncodeReport, Role


class RoutedEncoder(EncoderSurface):
    """Encodes queries with one encoder and documents with another, into one space.

    Parameters
    ----------
    query, document
        The encoders of the two roles.
    plain
        The encoder of texts without a role; None where the model refuses them.
    name
        Of the model.

    Raises
    ------
    ModelError
        Where the encoders' vectors cannot be compared: different sizes, or dense ones with sparse ones.

    Examples
    --------
    Static vectors for queries, a transformer for documents::

        encoder = RoutedEncoder(static, transformer, transformer)
        encoder.encode(["a small dog"], role="query")
    """

    def __init__(self, query: Any, document: Any, plain: Any = None, *, name: str = "routed") -> None:
        self.query, self.document, self.plain, self.name = query, document, plain, name
        sizes = {role: (one.dimensions, one.kind == "sparse") for role, one in (("q", query), ("d", document))}
        if sizes["q"] != sizes["d"]:
            raise ModelError(
                "queries and documents get vectors that cannot be compared",
                f"{sizes['q'][0]} components for queries, {sizes['d'][0]} for documents", "fetch the model again",
            )  # fmt: skip
        self.dimensions: int = sizes["d"][0]
        self.kind: Literal["words", "dense", "sparse"] = document.kind
        self.speed: Literal["fast", "slow"] = document.speed
        self.similarity: Similarity = document.similarity
        self.window: int = document.window
        self.languages: frozenset[str] | None = document.languages

    @cached_property
    def identity(self) -> str:
        """Hash of the encoders' identities and of which one serves which role."""
        plain = "none" if self.plain is None else self.plain.identity
        parts = ["router", self.query.identity, self.document.identity, plain]
        return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()

    def encode(
        self,
        inputs: str | Iterable[str],
        *,
        role: Role | None = None,
        instruction: str | None = None,
        report: EncodeReport | None = None,
    ) -> Vectors:
        """Encode with the encoder of ``role``; other parameters as usual.

        Raises
        ------
        UsageError
            Without a role, where the model has no way for that.
        """
        chosen = {"query": self.query, "document": self.document}.get(role or "", self.plain)
        if chosen is None:
            raise UsageError(
                "this model needs to know what a text is", f"{self.name} has a way for queries and one for documents",
                "give role='query' or role='document'",
            )  # fmt: skip
        return cast(Vectors, chosen.encode(inputs, role=role, instruction=instruction, report=report))


def open_router(
    folder: str | Path, *, threads: int | None = None, max_length: int | None = None, name: str = ""
) -> RoutedEncoder:
    """Open a folder with a ``Router`` (or the older ``Asym``); modules before and behind it belong to every way.

    Parameters
    ----------
    folder
        The model's folder.
    threads
        Batches that are encoded side by side.
    max_length
        Longest input of each transformer in tokens; None for what the folder says.
    name
        Name of the model, where it is known better than from the folder.

    Raises
    ------
    ModelError
        Where the folder is incomplete, contradicts itself, or has no way for queries or documents of text.
    UnsupportedModelError
        Where a module is not supported.
    """
    folder = Path(folder)
    modules = read_modules(folder)
    at = next(i for i, entry in enumerate(modules) if entry.kind in ("Router", "Asym"))
    place = folder / modules[at].path
    said = read_json(place / "router_config.json") or need_json(place / "config.json")
    made: dict[tuple[ModuleEntry, ...], Any] = {}

    def way(task: str | None) -> Any:
        route = choose_route(said, task)
        if route is None:
            return None
        chain = (*modules[:at], *_branch(folder, modules[at].path, said, route), *modules[at + 1 :])
        if chain not in made:
            made[chain] = _open_chain(folder, chain, threads=threads, max_length=max_length, name=name)
        return made[chain]

    query, document, plain = way("query"), way("document"), way(None)
    if query is None or document is None:
        raise ModelError(
            "the router has no way for a role", f"its ways are {', '.join(said.get('structure', {}))}",
            "use a model with ways for query and document",
        )  # fmt: skip
    return RoutedEncoder(query, document, plain, name=name or folder.resolve().name)


def choose_route(said: Mapping[str, Any], task: str | None) -> str | None:
    """Return the way of a text with this task, by the order that sentence-transformers documents; None where none is.

    First the mappings of (task, text), (task, any), (any, text), (any, any), then ways named as the task or ``text``,
    then, without a task, the default way (where none is named and empty keys are allowed, the first one).

    Examples
    --------
    >>> ways = {"route_mappings": {"('query', None)": "fast"}}
    >>> said = {"structure": {"fast": [], "document": []}, "parameters": ways}
    >>> choose_route(said, "query"), choose_route(said, "document"), choose_route(said, None)
    ('fast', 'document', 'fast')
    """
    structure, settings = said.get("structure") or {}, said.get("parameters") or {}
    mapped = {_key(key): str(route) for key, route in (settings.get("route_mappings") or {}).items()}
    for key in ((task, "text"), (task, None), (None, "text"), (None, None)):
        if key in mapped:
            return mapped[key]
    for named in (task, "text"):
        if named and named in structure:
            return named
    if task is not None:
        return None
    first = next(iter(structure), None) if settings.get("allow_empty_key", True) else None
    return settings.get("default_route") or first


def _key(written: str) -> tuple[Any, Any]:
    """Read a key like ``"('query', None)"``."""
    try:
        task, modality = ast.literal_eval(written)
    except (ValueError, SyntaxError, TypeError) as error:
        raise ModelError("a way of the router cannot be read", f"route_mappings has the key {written!r}") from error
    return task, modality


def _branch(folder: Path, path: str, said: Mapping[str, Any], route: str) -> list[ModuleEntry]:
    types, structure = said.get("types") or {}, said.get("structure") or {}
    names = structure.get(route)
    if names is None or any(name not in types for name in names):
        raise ModelError("the router contradicts itself", f"its way {route} is not complete", "fetch the model again")
    return [entry_of(str(types[name]), (Path(path) / name).as_posix(), folder) for name in names]


def _open_chain(folder: Path, chain: Sequence[ModuleEntry], **options: Any) -> Encoder:
    """Open the modules of one way, by the first and the last of them."""
    kinds = [entry.kind for entry in chain]
    if kinds[0] == "SparseStaticEmbedding" or "SpladePooling" in kinds:
        return cast(Encoder, open_sparse(folder, modules=chain, **options))
    if kinds[0] == "StaticEmbedding":
        return cast(Encoder, open_static_chain(folder, modules=chain, **options))
    sorted_chain = read_chain(folder, chain)
    if sorted_chain.pooling is None:
        raise UnsupportedModelError(
            "the order of modules is not supported", f"a way of the router has {', '.join(kinds)}",
            "use ways that begin with Transformer, Pooling",
        )  # fmt: skip
    plan = resolve_any(folder, max_length=options["max_length"], name=options["name"], chain=sorted_chain)
    return cast(Encoder, encoder_of(plan, threads=options["threads"]))
