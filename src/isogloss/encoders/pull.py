"""Fetching a model from the hub: the only part of the encoders that uses the network, and only when asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from isogloss.encoders.model_folder import resolve_any
from isogloss.encoders.names import SHORT_NAMES, hub_caches, is_static
from isogloss.errors import IsoglossError, ModelError, UsageError

ALLOWED = (
    "*.json",
    "*.txt",
    "*.safetensors",
    "README.md",
    "LICENSE*",
    "*.model",
    "onnx/model.onnx",
    "onnx/model.onnx_data",
)
"""Files that are fetched: never pickles, never code."""


def repository(name: str) -> str:
    """Return the hub repository of a name; a name without organisation is one of sentence-transformers.

    Examples
    --------
    >>> repository("minilm"), repository("BAAI/bge-small-en-v1.5")
    ('sentence-transformers/all-MiniLM-L6-v2', 'BAAI/bge-small-en-v1.5')
    """
    full = SHORT_NAMES.get(name.lower(), name)
    parts = full.split("/")
    if len(parts) > 2 or not all(part and part.strip(".") and part.isprintable() and " " not in part for part in parts):
        raise UsageError(
            f"{name!r} is not the name of a model", "expected NAME or ORGANISATION/NAME", "isogloss pull ORG/NAME"
        )
    return full if len(parts) == 2 else f"sentence-transformers/{full}"


def pull(
    name: str,
    *,
    folder: str | Path | None = None,
    revision: str | None = None,
    progress: Any = None,
    endpoint: str | None = None,
) -> Path:
    """Fetch a model from the hub and return its folder; what is there already is not fetched again.

    Parameters
    ----------
    name
        ``ORGANISATION/NAME``, ``NAME`` (of sentence-transformers), or a short name such as ``minilm``.
    folder
        Where to put the files; ``None`` for the hub's own cache, where ``load_encoder`` finds them by name.
    revision
        Branch, tag or commit; ``None`` for the newest.
    progress
        A class like tqdm's that shows progress; ``None`` shows none.
    endpoint
        Address of another hub with the same interface; ``None`` for ``$HF_ENDPOINT``, else the public one.

    Raises
    ------
    IsoglossError
        Where the hub cannot be reached, or has no such model.
    ModelError
        Where the fetched files are no model that can be used; they are kept, and the message says what is wrong.
    """
    wanted = repository(name)
    from huggingface_hub import snapshot_download

    options: dict[str, Any] = {"tqdm_class": progress or _silent(), "endpoint": endpoint}
    options["cache_dir" if folder is None else "local_dir"] = str(folder or hub_caches()[0])
    try:
        fetched = Path(snapshot_download(wanted, revision=revision, allow_patterns=list(ALLOWED), **options))
    except Exception as error:
        raise _explain(wanted, error) from error
    _check(wanted, fetched)
    return fetched


def _check(wanted: str, fetched: Path) -> None:
    """Say now, not at the first search, that a model cannot be used."""
    if not any(path.is_file() for path in fetched.glob("*.json")):
        raise ModelError(f"{wanted} is no model", f"{fetched} has no configuration", "check the name")
    if not is_static(fetched):
        resolve_any(fetched, name=wanted)


def _explain(wanted: str, error: Exception) -> IsoglossError:
    """Turn the client's errors into ours, told apart by class names so that versions of the client may differ."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    said = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    if kinds & {"RepositoryNotFoundError", "RevisionNotFoundError", "GatedRepoError"}:
        return ModelError(
            f"the hub has no open model {wanted}", said, "check the name on the hub, or log in: hf auth login"
        )
    if isinstance(error, OSError) and error.errno is not None and "ConnectionError" not in kinds:
        return IsoglossError(f"{wanted} cannot be stored", said, "check the disk and the folder's permissions")
    return IsoglossError(
        f"{wanted} cannot be fetched",
        f"the hub cannot be reached ({type(error).__name__}: {said})",
        "check the network, or copy the model's folder here and give its path instead of the name",
    )


def _silent() -> Any:
    from tqdm import tqdm

    def start(bar: Any, *args: Any, **kwargs: Any) -> None:
        kwargs.pop("name", None)
        tqdm.__init__(bar, *args, **{**kwargs, "disable": True})

    return type("Silent", (tqdm,), {"__init__": start})
