"""Static encoders: a text's vector is the weighted mean of its tokens' vectors. Very fast, no context."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Dense, Ragged, Similarity
from isogloss.encoders.digests import remembered
from isogloss.encoders.surface import EncoderSurface, as_texts
from isogloss.errors import ModelError, NonFiniteError
from isogloss.protocols import EncodeReport, Role
from isogloss.vocabulary.pooling import Finish, pooling_of
from isogloss.vocabulary.tokenizer_pieces import TokenizerPieces
from isogloss.vocabulary.wordpiece import WordPiece, unlike_bert

_TYPES = {"I8": np.int8, "F16": np.float16, "F32": np.float32, "F64": np.float64, "I32": np.int32, "I64": np.int64}
_FILES = ("model.safetensors", "0_StaticEmbedding/model.safetensors")


@dataclass(frozen=True, slots=True)
class TokenVectors:
    """The arrays of a static model.

    Attributes
    ----------
    rows
        ``(V, d)`` int8 or float32, one row a token.
    weights
        ``(V,)`` float32; a token counts ``weights[t] * rows[t]``.
    """

    rows: NDArray[Any]
    weights: NDArray[np.float32]

    @classmethod
    def quantised(cls, vectors: Dense) -> TokenVectors:
        """Round float32 vectors ``(V, d)`` to int8 with one scale a row, kept in half precision."""
        peaks = np.abs(vectors).max(1)
        weights = (peaks / 127).astype(np.float16)
        weights[(weights == 0) & (peaks > 0)] = np.finfo(np.float16).tiny
        scale = np.where(weights > 0, weights, np.float16(1)).astype(np.float32)[:, None]
        rows = np.clip(np.rint(vectors / scale), -127, 127).astype(np.int8)
        return cls(rows, weights.astype(np.float32))


class StaticEncoder(EncoderSurface):
    """Mean of token vectors after a tokenizer; loads its own folders, model2vec's and StaticEmbedding's.

    A text without tokens (empty, blank, control characters only) has a vector of zeros: its cosine to everything is 0,
    so that it never wins a search, and nothing divides by zero. The same holds where a text has only tokens whose
    vectors are zero: in the bundled model ``[UNK]``, so a text in a script that it does not know has no direction.
    There is no window: texts of any length are read whole.

    Parameters
    ----------
    pieces
        The tokenizer.
    vectors
        One vector a token.
    finish
        ``"unit"`` (vectors of length one), ``"mean"`` or ``"sum"``.
    skip_unknown
        Leave unknown tokens out of mean and vector.
    name
        Name for messages and the index.
    languages
        ISO 639 codes of the languages that the model's card names; None: any.
    identity
        Hash of the model; computed from the arrays where it is not given.
    threads
        Threads for bulk work; None for up to four of the processors that are there.

    Examples
    --------
    >>> encoder = bundled_static()
    >>> near, far = encoder.similarity(encoder.encode("a small dog"), encoder.encode(["a puppy", "tax law"]))[0]
    >>> bool(near > far)
    True
    """

    modality = "text"
    kind: Literal["words", "dense"] = "dense"
    speed: Literal["fast", "slow"] = "fast"
    window = 0
    similarity = Similarity.COSINE

    def __init__(
        self,
        pieces: WordPiece | TokenizerPieces,
        vectors: TokenVectors,
        *,
        finish: Finish = "unit",
        skip_unknown: bool = False,
        name: str = "static",
        languages: frozenset[str] | None = None,
        identity: str | None = None,
        threads: int | None = None,
    ) -> None:
        if len(pieces) > len(vectors.rows):
            raise ModelError(
                "vocabulary and token vectors do not belong together",
                f"{len(pieces):,} tokens, {len(vectors.rows):,} vectors",
                "take both files from the same model",
            )
        self.pieces, self.vectors, self.finish, self.skip_unknown = pieces, vectors, finish, skip_unknown
        self.name, self.languages = name, languages
        self.dimensions: int = vectors.rows.shape[1]
        self.threads = threads or min(4, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2)
        self._identity = identity

    @property
    def identity(self) -> str:
        """Hash of token vectors, tokenizer, pooling and similarity."""
        if self._identity is None:
            parts = [digest_of(self.vectors), self.pieces.identity, *_manner(self.finish, self.skip_unknown)]
            self._identity = hashlib.sha256("\x1f".join(parts).encode()).hexdigest()
        return self._identity

    @classmethod
    def load(cls, folder: str | Path, *, name: str = "", threads: int | None = None) -> StaticEncoder:
        """Open a folder of this library, of model2vec, or of sentence-transformers with a StaticEmbedding.

        Token vectors in int8 or float32 are memory-mapped, not read.

        Parameters
        ----------
        folder
            Has ``model.safetensors`` (or ``0_StaticEmbedding/model.safetensors``) and ``tokenizer.json`` beside it.
        name
            Name for messages and the index; by default the one in ``config.json``, else the folder's.
        threads
            Threads for bulk work.

        Raises
        ------
        ModelError
            Where a file is missing, or the arrays and the vocabulary do not belong together.
        """
        folder = Path(folder)
        file = next((folder / part for part in _FILES if (folder / part).is_file()), None)
        if file is None:
            raise ModelError(f"{folder} has no static model", f"none of {', '.join(_FILES)}", "give a model's folder")
        config = _config(folder)
        pieces = _pieces(file.parent / "tokenizer.json")
        arrays, about = read_arrays(file)
        vectors = _token_vectors(arrays, file)
        # sentence-transformers counts unknown tokens in its mean; model2vec and this library leave them out
        skip, unit = "embedding.weight" not in arrays, bool(config.get("normalize"))
        finish: Finish = "unit" if unit else "mean"
        known = about.get("digest") or remembered("token-vectors-1", [file], lambda: digest_of(vectors))
        parts = [known, pieces.identity, *_manner(finish, skip)]
        return cls(
            pieces,
            vectors,
            finish=finish,
            skip_unknown=skip,
            name=name or str(config.get("name") or folder.resolve().name),
            languages=frozenset(config["languages"]) if config.get("languages") else None,
            identity=hashlib.sha256("\x1f".join(parts).encode()).hexdigest(),
            threads=threads,
        )

    def encode(
        self,
        inputs: str | Iterable[str],
        *,
        role: Role | None = None,
        instruction: str | None = None,
        report: EncodeReport | None = None,
    ) -> Dense:
        """Encode texts as ``(n, d)`` float32; ``role`` and ``instruction`` make no difference here.

        Raises
        ------
        NonFiniteError
            Where a vector is not finite; the message names the text.
        """
        texts = as_texts(inputs)
        skip = self.pieces.unknown if self.skip_unknown else -1
        pooling = pooling_of(self.vectors.rows, self.vectors.weights, skip, self.finish)
        vectors, counts = self.pieces.pool(texts, pooling, threads=self.threads)
        flat = vectors.ravel()
        if not np.isfinite(flat @ flat) and not np.isfinite(vectors).all():
            worst = int(np.flatnonzero(~np.isfinite(vectors).all(1))[0])
            raise NonFiniteError(
                f"{self.name} gives a vector that is not finite",
                f"text {worst}: {texts[worst][:80]!r}",
                "check the model",
            )
        if report is not None:
            report.add(texts=len(texts), tokens=int(counts.sum()))
        return vectors

    def states(self, inputs: Sequence[str], layers: Sequence[int]) -> tuple[Ragged, Ragged]:
        """Return the token vectors that ``encode`` averages, with the characters that each token stands for.

        Parameters
        ----------
        inputs
            Texts.
        layers
            Only 0 (and -1, the same): a static model has one layer.

        Returns
        -------
        states : Ragged
            Values ``(T, len(layers), d)`` float32, weights included.
        spans : Ragged
            Values ``(T, 2)`` int64, start and end in characters.
        """
        if any(layer not in (0, -1) for layer in layers):
            raise IndexError(f"a static model has layer 0 alone, not {list(layers)}")
        skip = self.pieces.unknown if self.skip_unknown else -1
        rows, spans = [], []
        for encoding in self.pieces.tokenizer.encode_batch(as_texts(inputs), add_special_tokens=False):
            ids = np.array(encoding.ids, np.int64)
            kept = ids != skip
            rows.append(ids[kept])
            spans.append(np.array(encoding.offsets, np.int64).reshape(-1, 2)[kept])
        tokens, places = Ragged.from_list(rows), Ragged.from_list(spans)
        ids = tokens.values.astype(np.int64)
        one = self.vectors.rows[ids].astype(np.float32) * self.vectors.weights[ids, None]  # (T, d)
        values = np.repeat(one[:, None], len(layers), axis=1)  # (T, d) -> (T, layers, d)
        return Ragged(values, tokens.offsets), Ragged(places.values.reshape(-1, 2), places.offsets)

    def save(self, folder: str | Path, *, card: str = "") -> None:
        """Write ``model.safetensors``, ``tokenizer.json`` and ``config.json``; model2vec can read them, too.

        Parameters
        ----------
        folder
            Made where it is not there.
        card
            Text of ``README.md``; none is written where it is empty.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        rows, weights = self.vectors.rows, self.vectors.weights
        half = weights.astype(np.float16)
        small = half if np.array_equal(half.astype(np.float32), weights) else weights
        digest = {"digest": digest_of(self.vectors)}
        write_arrays(folder / "model.safetensors", {"embeddings": rows, "weights": small}, digest)
        config: dict[str, Any] = {
            "model_type": "isogloss-static",
            "name": self.name,
            "normalize": self.finish == "unit",
            "hidden_dim": self.dimensions,
        }
        if self.languages is not None:
            config["languages"] = sorted(self.languages)
        (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n", "utf-8")
        (folder / "tokenizer.json").write_text(self.pieces.to_json(), "utf-8")
        if card:
            (folder / "README.md").write_text(card, "utf-8")


@cache
def bundled_static() -> StaticEncoder:
    """Return the bundled model isogloss-static: English, 256 dimensions, fitted to all-MiniLM-L6-v2."""
    return StaticEncoder.load(Path(__file__).resolve().parent / "assets" / "isogloss-static")


def digest_of(vectors: TokenVectors) -> str:
    """Return the hash of token vectors and weights, with their types and shapes."""
    digest = hashlib.sha256()
    for array in (vectors.rows, vectors.weights.astype(np.float32)):
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def read_arrays(file: Path) -> tuple[dict[str, NDArray[Any]], Mapping[str, str]]:
    """Memory-map the arrays of a safetensors file; return them and the file's own remarks.

    Raises
    ------
    ModelError
        Where the file is not whole, or a type is not supported.
    """
    try:
        with file.open("rb") as opened:
            size = int.from_bytes(opened.read(8), "little")
            header = json.loads(opened.read(size))
        about = header.pop("__metadata__", {})
        found: dict[str, NDArray[Any]] = {}
        for name, entry in header.items():
            first, last = entry["data_offsets"]
            kind, shape = np.dtype(_TYPES[entry["dtype"]]).newbyteorder("<"), tuple(entry["shape"])
            if last - first != kind.itemsize * int(np.prod(shape)):
                raise ValueError(f"{name} has {last - first} bytes")
            found[name] = (
                np.asarray(np.memmap(file, kind, "r", 8 + size + first, shape))
                if last > first
                else np.zeros(shape, kind)
            )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{file} cannot be read", f"{type(error).__name__}: {error}", "get the model again") from error
    return found, about


def write_arrays(file: Path, arrays: Mapping[str, NDArray[Any]], about: Mapping[str, str]) -> None:
    """Write a safetensors file, data aligned to 64 bytes, equal for equal input on every machine."""
    names = {np.dtype(kind): name for name, kind in _TYPES.items()}
    header: dict[str, Any] = {"__metadata__": dict(about)}
    at = 0
    for name, array in arrays.items():
        header[name] = {
            "dtype": names[array.dtype],
            "shape": list(array.shape),
            "data_offsets": [at, at + array.nbytes],
        }
        at += array.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(len(text) + 8) % 64)
    with file.open("wb") as opened:
        opened.write(len(text).to_bytes(8, "little") + text)
        for array in arrays.values():
            opened.write(np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"), copy=False)).tobytes())


def _manner(finish: str, skip_unknown: bool) -> tuple[str, ...]:
    return f"pool {finish}", f"unknown {'skipped' if skip_unknown else 'counted'}", "window 0", "cosine"


def _config(folder: Path) -> dict[str, Any]:
    config: dict[str, Any] = {}
    if (folder / "config.json").is_file():
        config = json.loads((folder / "config.json").read_text("utf-8"))
    if (folder / "modules.json").is_file():
        modules = [str(module.get("type", "")) for module in json.loads((folder / "modules.json").read_text("utf-8"))]
        more = [module for module in modules if not module.endswith(("StaticEmbedding", "Normalize", "Dropout"))]
        if more:
            why = f"modules.json of {folder} names {', '.join(more)}"
            raise ModelError("these are not token vectors alone", why, "open it with load_encoder")
        config["normalize"] = any(module.endswith("Normalize") for module in modules) or bool(config.get("normalize"))
    return config


def _pieces(file: Path) -> WordPiece | TokenizerPieces:
    if not file.is_file():
        raise ModelError("a static model needs its tokenizer", f"{file} is not there", "get the whole folder")
    content = file.read_text("utf-8")
    plan = json.loads(content)
    return TokenizerPieces(content) if unlike_bert(plan) else WordPiece.from_plan(plan)


def _token_vectors(arrays: Mapping[str, NDArray[Any]], file: Path) -> TokenVectors:
    rows = next((arrays[name] for name in ("embeddings", "embedding.weight") if name in arrays), None)
    if rows is None or rows.ndim != 2:
        raise ModelError(
            f"{file} has no token vectors", f"it has {', '.join(arrays) or 'nothing'}", "get the model again"
        )
    if "mapping" in arrays:
        rows = rows[arrays["mapping"]]
    if rows.dtype not in (np.int8, np.float32):
        rows = rows.astype(np.float32)
    weights = arrays["weights"].astype(np.float32) if "weights" in arrays else np.ones(len(rows), np.float32)
    return TokenVectors(rows, weights)
