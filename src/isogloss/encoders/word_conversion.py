"""From a file of word vectors in any common format to a folder that opens in milliseconds; done once a file."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import uuid
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from isogloss.arrays import Dense
from isogloss.compiled import cache_folder
from isogloss.encoders.array_file import ArrayFile
from isogloss.encoders.fasttext_file import FastTextModel, PrunedFastText, read_fasttext
from isogloss.encoders.pruned_words import rows_of_letters, write_pruned
from isogloss.encoders.static import read_arrays
from isogloss.encoders.unknown_words import LONGEST, SHORTEST
from isogloss.encoders.word_files import BATCH, WordBatch, format_of, read_binary, read_text
from isogloss.encoders.word_store import ARRAYS, KIND, SETTINGS, VERSION, WordStore, mean_rows
from isogloss.errors import IsoglossWarning, ModelError
from isogloss.protocols import Progress, Silent
from isogloss.text.letter_hashes import letter_hashes, whole_hashes

SPELLED = 200_000
_END_OF_SENTENCE = b"</s>"  # fastText gives it no letters
_LARGE = 50_000_000
_MEASURED = 20_000


@dataclass
class _Seen:
    """What passes by on the way from the file to the folder."""

    words: list[bytes] = field(default_factory=list)
    lengths: list[Dense] = field(default_factory=list)
    digest: Any = field(default_factory=hashlib.sha256)


def convert(
    path: str | Path,
    folder: str | Path,
    *,
    neighbours: int = SPELLED,
    repeated: Literal["error", "first"] = "error",
    encoder: dict[str, Any] | None = None,
    progress: Progress | None = None,
) -> Path:
    r"""Write a file of word vectors as a folder of mapped arrays, and return the folder.

    Reads word2vec (text and binary), GloVe (text with or without a header, words with spaces), fastText's ``.vec``,
    ``.bin`` and quantised ``.ftz``; names that end in ``.gz`` are unpacked on the way. Vectors go through memory in
    pieces; words and their look-up do not.

    Parameters
    ----------
    path
        The file.
    folder
        To write; must not exist.
    neighbours
        How many words, the most frequent first, are found again by a misspelling of them; 0 for none.
    repeated
        What a word that comes twice is: an error, or its ``first`` vector.
    encoder
        Settings that :class:`~isogloss.encoders.word_vector_encoder.WordVectorEncoder` takes from the folder:
        ``unknown``, ``sif``, ``unit_words``.
    progress
        Told of the words.

    Raises
    ------
    ModelError
        Where the file is not whole, of no known format, holds a number that is not finite, or the same word twice; or
        the folder is there already.

    Examples
    --------
    >>> import tempfile
    >>> from isogloss.encoders.word_store import WordStore
    >>> with tempfile.TemporaryDirectory() as home:
    ...     file = Path(home) / "two.txt"
    ...     _ = file.write_text("red 1 0\nblue 0 1\n")
    ...     WordStore.load(convert(file, Path(home) / "two")).vector("blue").tolist()
    [0.0, 1.0]
    """
    path, folder = Path(path), Path(folder)
    if folder.exists():
        raise ModelError(f"{folder} is there already", "word vectors are written into a new folder", "name another one")
    kind = format_of(path)
    model = read_fasttext(path) if kind == "fastText" else None
    partial = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}")
    partial.mkdir(parents=True)
    try:
        batches = _of_fasttext(model) if model else read_text(path) if kind == "text" else read_binary(path)
        settings = _write(partial / ARRAYS, batches, model, neighbours, (path, repeated), progress or Silent())
        settings |= {"name": _plain_name(path), "source": kind, "encoder": encoder or {}}
        if isinstance(model, PrunedFastText):
            settings |= write_pruned(partial, model, str(settings["digest"]))
        (partial / SETTINGS).write_text(json.dumps(settings, indent=1) + "\n", "utf-8")
        partial.replace(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder


def in_memory(
    words: Sequence[str], vectors: Dense, *, counts: Sequence[int] = (), neighbours: int = SPELLED, name: str = "words"
) -> WordStore:
    """Return words and vectors that are here already as a store, as if they had been read from a file.

    Parameters
    ----------
    words, vectors
        The vocabulary, the most frequent first, and its vectors ``(V, d)``, finite.
    counts
        How often each word occurred; empty: not known.
    neighbours
        As for :func:`convert`.
    name
        For messages.

    Raises
    ------
    ModelError
        Where a word comes twice, or there are not as many vectors as words.

    Examples
    --------
    >>> in_memory(["red", "blue"], np.eye(2, dtype=np.float32)).nearest("bleu", 1)[0][0]
    'blue'
    """
    if len(words) != len(vectors) or not np.isfinite(vectors).all():
        why = f"{len(words):,} words, {len(vectors):,} vectors"
        raise ModelError("words and vectors do not belong together", why, "give one finite vector a word")
    raw = [word.encode("utf-8") for word in words]
    batches = (
        WordBatch(raw[start : start + BATCH], np.asarray(vectors[start : start + BATCH], np.float32))
        for start in range(0, len(raw), BATCH)
    )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / ARRAYS
        settings = _write(file, batches, None, neighbours, (Path(name), "error"), Silent())
        arrays = {key: np.array(array) for key, array in read_arrays(file)[0].items()}
    arrays["counts"] = np.array(counts, np.int64)
    return WordStore(arrays, settings | {"name": name})


def converted(path: str | Path) -> Path:
    """Return the folder that a file was converted to in the user's cache, converting it where that is to be done.

    A file counts as the same where path, size and time stamp are. What its older states were converted to is deleted.

    Raises
    ------
    ModelError
        As :func:`convert`, and where the cache cannot be written.
    """
    path = Path(path).expanduser()
    state = path.stat()
    home = cache_folder() / "word-vectors" / hashlib.sha256(os.path.realpath(path).encode()).hexdigest()[:24]
    folder = home / f"{VERSION}-{state.st_size}-{state.st_mtime_ns}"
    if (folder / SETTINGS).is_file():
        return folder
    if state.st_size > _LARGE:
        said = f"{path} is converted once, into {folder}; later it opens at once"
        warnings.warn(said, IsoglossWarning, stacklevel=3)
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        fix = "set XDG_CACHE_HOME, or call isogloss.encoders.word_conversion.convert(file, folder) and give that folder"
        raise ModelError(f"{path} cannot be converted", f"{home}: {error}", fix) from error
    for old in home.iterdir():
        shutil.rmtree(old, ignore_errors=True)
    return convert(path, folder)


def _plain_name(path: Path) -> str:
    return path.name.removesuffix(".gz").rpartition(".")[0] or path.name


def _of_fasttext(model: FastTextModel) -> Iterator[WordBatch]:
    """Yield each word's vector: the mean of its own row and the rows of its letter n-grams."""
    size = len(model.words)
    for start in range(0, size, BATCH):
        words = model.words[start : start + BATCH]
        own = np.array(model.rows[start : start + len(words)], np.float32)
        if model.longest:
            letters = ["" if word == _END_OF_SENTENCE else word.decode("utf-8", "replace") for word in words]
            found = letter_hashes(letters, model.shortest, model.longest)
            rows, offsets = rows_of_letters(model, found)
            lengths = np.diff(offsets)
            lengths[[word == _END_OF_SENTENCE for word in words]] = 0
            grams = mean_rows(model.rows[size:], rows, offsets)
            whole = own + grams * lengths[:, None].astype(np.float32)
            own = np.asarray(whole / (1 + lengths[:, None]), np.float32)
        yield WordBatch(words, own)


def _write(
    out: Path, batches: Iterator[WordBatch], model: FastTextModel | None, neighbours: int,
    manner: tuple[Path, str], progress: Progress,
) -> dict[str, Any]:  # fmt: skip
    """Write all arrays, and return what the settings say of them."""
    seen = _Seen()
    with ArrayFile(out) as file:
        _write_vectors(file, batches, seen, progress)
        if not seen.words:
            raise ModelError(f"{manner[0]} holds no word", "it ends before the first", "get the file again")
        _write_look_up(file, seen, manner)
        file.add("counts", model.counts if model else np.zeros(0, np.int64))
        settings: dict[str, Any] = {"model_type": KIND, "version": VERSION, "words": len(seen.words)}
        if model and model.longest:
            _write_letters(file, model, seen)
            settings |= {"shortest": model.shortest, "longest": model.longest}
        if neighbours:
            _write_spelling(file, seen.words[:neighbours])
        file.finish({"format": KIND})
    seen.digest.update(json.dumps(settings, sort_keys=True).encode())
    return settings | {"length": float(np.median(np.concatenate(seen.lengths))), "digest": seen.digest.hexdigest()}


def _write_vectors(file: ArrayFile, batches: Iterator[WordBatch], seen: _Seen, progress: Progress) -> None:
    file.begin("embeddings")
    progress.start("words", None, "words")
    for batch in batches:
        file.append(batch.vectors)
        seen.words += batch.words
        seen.digest.update(batch.vectors.astype("<f4").tobytes())
        if len(seen.words) <= _MEASURED:
            seen.lengths.append(np.linalg.norm(batch.vectors, axis=1))
        progress.advance(len(batch.words))
    progress.finish()


def _write_letters(file: ArrayFile, model: FastTextModel, seen: _Seen) -> None:
    file.begin("buckets")
    for start in range(len(model.words), len(model.rows), BATCH):
        rows = np.array(model.rows[start : start + BATCH], np.float32)
        seen.digest.update(rows.tobytes())
        file.append(rows)


def _write_look_up(file: ArrayFile, seen: _Seen, manner: tuple[Path, str]) -> None:
    """Write words and their hashes; refuse words that come twice, unless the first one is to count."""
    words = seen.words
    offsets = np.cumsum([0, *map(len, words)], dtype=np.int64)
    raw = np.frombuffer(b"".join(words), np.uint8)
    seen.digest.update(raw.tobytes() + offsets.tobytes())
    hashes = whole_hashes(raw, offsets)
    order = np.argsort(hashes, kind="stable")
    ascending = hashes[order]
    equal = np.flatnonzero(ascending[1:] == ascending[:-1])
    twice = sorted((int(order[i + 1]), int(order[i])) for i in equal if words[order[i]] == words[order[i + 1]])
    if twice and manner[1] == "error":
        later, first = twice[0]
        why = (
            f"{words[later].decode('utf-8', 'replace')!r} is word {first + 1:,} and word {later + 1:,} of "
            f"{len(words):,}; {len(twice):,} come again in all"
        )
        raise ModelError(f"{manner[0]} has a word twice", why, "take it out, or convert with repeated='first'")
    file.add("words", raw.view(np.int8))
    file.add("word_offsets", offsets)
    file.add("hashes", ascending)
    file.add("hash_rows", order.astype(np.int32))


def _write_spelling(file: ArrayFile, words: list[bytes]) -> None:
    """Write which words have each n-gram of their lower-case letters."""
    keys, rows = [], []
    for start in range(0, len(words), BATCH):
        plain = [word.decode("utf-8", "replace").lower() for word in words[start : start + BATCH]]
        found = letter_hashes(plain, SHORTEST, LONGEST)
        owner = np.repeat(np.arange(start, start + len(plain), dtype=np.uint64), np.diff(found.offsets))
        pairs = np.unique((found.hashes.astype(np.uint64) << np.uint64(32)) | owner)
        keys.append((pairs >> np.uint64(32)).astype(np.int64))
        rows.append((pairs & np.uint64(0xFFFFFFFF)).astype(np.int32))
    flat = np.concatenate(keys)
    order = np.argsort(flat, kind="stable")
    distinct, first = np.unique(flat[order], return_index=True)
    file.add("gram_keys", distinct)
    file.add("gram_offsets", np.append(first, len(flat)).astype(np.int64))
    file.add("gram_rows", np.concatenate(rows)[order])
