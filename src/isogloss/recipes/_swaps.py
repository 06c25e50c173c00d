"""What a sabotage or a planted loss puts in place of an artifact: noise of its shape, a constant, shuffled data."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import CSR, Hits, Ragged
from isogloss.corpus.judgements import RankedRun, TestCollection
from isogloss.errors import IsoglossError
from isogloss.recipes._tokenizer_judge import is_tokenizer, scrapped
from isogloss.seeding import derive, generator

Swap = Literal["identity", "random", "shuffled", "labels", "constant"]
SWAPS: tuple[Swap, ...] = ("identity", "random", "shuffled", "labels", "constant")
OUTPUTS = (
    "encode", "encode_query", "encode_document", "states", "search", "score", "transform", "predict", "predict_proba",
    "rank", "rerank", "select", "segment", "nll", "generate",
)  # fmt: skip
"""Methods whose results are replaced; ``score_all`` stays as it is: it is the truth that an index is held to."""
ONCE = ("encode", "nll", "generate")
"""Outputs (by the start of their names) that are made once for equal inputs, however many levels of noise are tried."""
HIDDEN = ("encode_batches",)
"""Other ways to the same outputs, which would go round the replacement."""
KINDS = 257
"""Columns that random sparse entries fall into, so that random texts still meet."""


class Unswappable(IsoglossError):
    """The artifact has no outputs that the Lab knows how to replace; the message says its type."""


def noisy(artifact: Any, share: float, seed: int) -> Any:
    """Return the artifact with ``share`` of every output replaced by seeded noise of the same shape and scale.

    Parameters
    ----------
    artifact
        An encoder, index, searcher, reranker, transform, predictor, function, array, number, or a container of them.
    share
        0 leaves it as it is, 1 leaves nothing of it.
    seed
        Of the noise. Equal inputs get equal noise, in any batch.

    Raises
    ------
    Unswappable
        Where nothing of it can be replaced.

    Examples
    --------
    >>> noisy(np.zeros(3, np.float32), 0.0, 1).tolist()
    [0.0, 0.0, 0.0]
    """
    if is_tokenizer(artifact):
        return scrapped(artifact, share, seed)
    return _replaced(artifact, lambda output, keys: _mixed(output, keys, share, seed))


def constant(artifact: Any) -> Any:
    """Return the artifact with every output replaced by one constant of the same shape.

    Raises
    ------
    Unswappable
        Where nothing of it can be replaced, or it is a single number (which is constant already).

    Examples
    --------
    >>> constant(np.array([1.0, 3.0])).tolist()
    [2.0, 2.0]
    """
    if isinstance(artifact, int | float | np.number):
        raise Unswappable("a single number is a constant already")
    if is_tokenizer(artifact):
        return scrapped(artifact, 1.0, 0)
    return _replaced(artifact, lambda output, keys: _flat(output))


@dataclasses.dataclass(frozen=True)
class _Nats:
    """What a language model's ``nll`` gives; noise and constants move it to that of a model that knows nothing."""

    nats: NDArray[np.float64]
    sizes: NDArray[Any]

    @property
    def pair(self) -> tuple[NDArray[np.float64], NDArray[Any]]:
        return self.nats, self.sizes

    def towards_ignorance(self, share: float) -> _Nats:
        """Mix with 8 bits a byte; noise that moved nats between texts would leave their sum as it was."""
        nothing = np.asarray(self.sizes, np.float64) * math.log(256)
        return _Nats((1 - share) * np.asarray(self.nats, np.float64) + share * nothing, self.sizes)


class Replaced:
    """An artifact whose outputs pass through ``change``; everything else is the artifact's own."""

    def __init__(self, inner: Any, change: Callable[[Any, Sequence[Any] | None], Any]) -> None:
        self._inner, self._change = inner, change
        self._clean: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        """Return a method whose result is changed, or the inner attribute."""
        if name in HIDDEN:
            raise AttributeError(name)  # callers then take the method whose results are replaced
        found = getattr(self._inner, name)
        if name in OUTPUTS and callable(found):
            return self._changed(name, found)
        return found

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Call the inner function and change its result."""
        return self._changed("()", self._inner)(*arguments, **options)

    def __len__(self) -> int:
        return len(self._inner)

    def _changed(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            if name.startswith("encode") and isinstance(arguments[0], str):
                arguments = ([arguments[0]], *arguments[1:])
            inputs = arguments[0] if arguments else None
            keys = list(inputs) if isinstance(inputs, list | tuple) else None
            made = self._once(name, method, arguments, options)
            return self._change(_Nats(*made), keys).pair if name == "nll" else self._change(made, keys)

        return call

    def _once(self, name: str, method: Callable[..., Any], arguments: Any, options: Any) -> Any:
        """Return the clean result, for texts made once."""
        if not name.startswith(ONCE) or options.get("report") is not None:
            return method(*arguments, **options)
        key = hashlib.sha256(repr((name, arguments, sorted(options.items()))).encode("utf-8", "replace")).hexdigest()
        if key not in self._clean:
            self._clean[key] = method(*arguments, **options)
        return self._clean[key]


def relevel(artifact: Replaced, share: float, seed: int) -> Replaced:
    """Return a noisy artifact at another level that shares the clean outputs of the first."""
    other = Replaced(artifact._inner, lambda output, keys: _mixed(output, keys, share, seed))
    other._clean = artifact._clean
    return other


def _replaced(artifact: Any, change: Callable[[Any, Sequence[Any] | None], Any]) -> Any:
    if isinstance(artifact, str | np.ndarray | CSR | Ragged | Hits | RankedRun | int | float | np.number):
        return change(artifact, None)  # before the next line: a string can encode itself
    if any(callable(getattr(artifact, name, None)) for name in OUTPUTS):
        return Replaced(artifact, change)
    if dataclasses.is_dataclass(artifact) and not isinstance(artifact, type):
        values = {one.name: getattr(artifact, one.name) for one in dataclasses.fields(artifact) if one.init}
        return dataclasses.replace(artifact, **_each(values, change))
    if isinstance(artifact, Mapping):
        return _each(artifact, change)
    if isinstance(artifact, list | tuple):
        return _sequence(artifact, change)
    if callable(artifact):
        return Replaced(artifact, change)
    raise Unswappable(f"a {type(artifact).__name__} has no outputs that the Lab knows how to replace")


def _each(values: Mapping[Any, Any], change: Callable[[Any, Sequence[Any] | None], Any]) -> dict[Any, Any]:
    """Change what can be changed; at least one value must be."""
    made, changed = {}, 0
    for name, value in values.items():
        try:
            made[name] = _replaced(value, change)
            changed += 1
        except Unswappable:
            made[name] = value
    if not changed:
        raise Unswappable("nothing in the mapping can be replaced")
    return made


def _sequence(artifact: Any, change: Callable[[Any, Sequence[Any] | None], Any]) -> Any:
    if artifact and all(isinstance(one, int | float | str | np.number) for one in artifact):
        return type(artifact)(np.asarray(change(np.array(artifact, dtype=_kind(artifact)), None)).tolist())
    made = list(_each(dict(enumerate(artifact)), change).values())
    return type(artifact)(made) if not hasattr(artifact, "_fields") else type(artifact)(*made)


def _kind(values: Sequence[Any]) -> Any:
    return object if any(isinstance(one, str) for one in values) else None


# -- noise -----------------------------------------------------------------------------------------------------------


def _mixed(output: Any, keys: Sequence[Any] | None, share: float, seed: int) -> Any:
    if isinstance(output, _Nats):
        return output.towards_ignorance(share)
    if isinstance(output, tuple) and output and isinstance(output[0], Ragged | np.ndarray | CSR):
        return (_mixed(output[0], keys, share, seed), *output[1:])  # states with their spans
    if isinstance(output, Ragged):
        return Ragged(_mixed_rows(output.values, _token_keys(output, keys), share, seed), output.offsets)
    if isinstance(output, CSR):
        return _mixed_sparse(output, keys, share, seed)
    if isinstance(output, Hits):
        return Hits(_moved(output.rows, share, seed), output.scores)
    if isinstance(output, RankedRun):
        rows = [np.array(row, object) for row in output.documents]
        documents = [list(_moved(row, share, derive(seed, i))) for i, row in enumerate(rows)]
        return RankedRun(output.queries, documents, output.scores, output.name)
    if isinstance(output, int | float | np.number | str):
        return _mixed_scalar(output, share, seed)
    if isinstance(output, np.ndarray) and output.dtype.kind == "f":
        table = output.reshape(len(output), -1) if output.ndim > 1 else output[None]
        made = _mixed_rows(table, keys if output.ndim > 1 else None, share, seed)
        return made.reshape(output.shape)
    if isinstance(output, np.ndarray):
        return _moved(output, share, seed)
    return _replaced(output, lambda one, _: _mixed(one, None, share, seed))


def _mixed_scalar(output: Any, share: float, seed: int) -> Any:
    if not isinstance(output, float | np.floating):
        return output if isinstance(output, str) else int(output)
    noise = float(generator(seed, "noise", repr(float(output))).standard_normal())
    return float((1 - share) * output + share * noise * max(abs(float(output)), 1e-3))


def _mixed_rows(rows: NDArray[Any], keys: Sequence[Any] | None, share: float, seed: int) -> NDArray[Any]:
    """Turn each row towards a random direction of its own length; the direction follows from the row's key."""
    flat = np.asarray(rows, np.float64).reshape(len(rows), -1)
    names = [repr(key) for key in keys] if keys is not None and len(keys) == len(rows) else None
    noise = np.empty_like(flat)
    for i in range(len(flat)):
        noise[i] = generator(seed, "noise", names[i] if names else i).standard_normal(flat.shape[1])
    lengths = np.linalg.norm(flat, axis=1, keepdims=True)
    noise *= lengths / np.maximum(np.linalg.norm(noise, axis=1, keepdims=True), 1e-30)
    mixed = np.sqrt(1 - share) * flat + np.sqrt(share) * noise
    return np.asarray(mixed.reshape(rows.shape), rows.dtype)


def _token_keys(output: Ragged, keys: Sequence[Any] | None) -> list[tuple[Any, int]]:
    return [
        (keys[i] if keys is not None else i, j)
        for i in range(len(output))
        for j in range(int(output.offsets[i + 1] - output.offsets[i]))
    ]


def _mixed_sparse(output: CSR, keys: Sequence[Any] | None, share: float, seed: int) -> CSR:
    """Move a share of the entries of each row to random columns."""
    import scipy.sparse

    rows, columns, values = [], [], []
    width = min(output.width, KINDS)
    for i in range(len(output)):
        index, value = output.row(i)
        draw = generator(seed, "noise", repr(keys[i]) if keys is not None else i)
        moved = draw.random(len(index)) < share
        columns.append(np.where(moved, draw.integers(0, width, len(index)), index))
        rows.append(np.full(len(index), i))
        values.append(value)
    order = np.concatenate(columns), np.concatenate(rows)
    matrix = scipy.sparse.coo_matrix((np.concatenate(values), (order[1], order[0])), shape=output.shape)
    return CSR.fromcsr(matrix)


def _moved(values: NDArray[Any], share: float, seed: int) -> NDArray[Any]:
    """Replace a share of the entries by entries drawn from anywhere in the array."""
    draw = generator(seed, "moved", values.size)
    flat = values.reshape(-1).copy()
    chosen = np.flatnonzero(draw.random(len(flat)) < share)
    flat[chosen] = draw.permutation(values.reshape(-1))[chosen] if len(chosen) else flat[chosen]
    return flat.reshape(values.shape)


# -- constants -------------------------------------------------------------------------------------------------------


def _flat(output: Any) -> Any:
    if isinstance(output, _Nats):
        return output.towards_ignorance(1.0)
    if isinstance(output, tuple) and output and isinstance(output[0], Ragged | np.ndarray | CSR):
        return (_flat(output[0]), *output[1:])
    if isinstance(output, Ragged):
        return Ragged(np.full_like(output.values, 1.0), output.offsets)
    if isinstance(output, CSR):
        count = len(output)
        ones = np.ones(count, np.float32)
        return CSR(np.arange(count + 1, dtype=np.int64), np.zeros(count, np.int64), ones, output.width)
    if isinstance(output, Hits):
        return Hits(np.tile(output.rows[:1], (len(output.rows), 1)), np.full_like(output.scores, 0.0))
    if isinstance(output, RankedRun):
        return RankedRun(output.queries, [output.documents[0]] * len(output), output.scores, output.name)
    if isinstance(output, int | float | np.number | str):
        return output
    if isinstance(output, np.ndarray):
        return _flat_array(output)
    return _replaced(output, lambda one, _: _flat(one))


def _flat_array(output: NDArray[Any]) -> NDArray[Any]:
    if output.ndim == 1:
        if output.dtype.kind == "f":
            return np.full_like(output, float(np.mean(output)) if len(output) else 0.0)
        return np.full_like(output, output[0]) if len(output) else output
    return np.full_like(output, 1) if output.dtype.kind in "fiu" else np.tile(output[:1], (len(output), 1))


# -- data ------------------------------------------------------------------------------------------------------------


def shuffled_labels(examples: Any, seed: int) -> tuple[Any, int]:
    """Return the examples with their labels (scores, judgements, translations, partners) permuted, and how many were.

    Examples
    --------
    >>> shuffled_labels(["just", "texts"], 0)
    (['just', 'texts'], 0)
    """
    if isinstance(examples, TestCollection):
        return _shuffled_judgements(examples, seed)
    if isinstance(examples, list) and examples and isinstance(examples[0], dict):
        return _shuffled_rows(examples, seed)
    for name in ("scores", "labels", "targets", "target", "grades", "tags", "positives"):
        values = getattr(examples, name, None)
        if values is not None and dataclasses.is_dataclass(examples) and not isinstance(examples, type):
            return dataclasses.replace(examples, **{name: _permuted(values, seed)}), len(values)
    return examples, 0


def _permuted(values: Any, seed: int) -> Any:
    draw = generator(seed, "labels")
    if isinstance(values, list) and values and isinstance(values[0], np.ndarray | list):
        mixed = [draw.permutation(np.array(one)) for one in values]  # inside each question or sentence
        return mixed if isinstance(values[0], np.ndarray) else [one.tolist() for one in mixed]
    order = draw.permutation(len(values))
    return values[order] if isinstance(values, np.ndarray) else [values[i] for i in order]


def _shuffled_judgements(examples: TestCollection, seed: int) -> tuple[TestCollection, int]:
    """Give each question the judgements of another one."""
    queries = list(examples.qrels)
    order = generator(seed, "labels").permutation(len(queries))
    qrels = {query: examples.qrels[queries[other]] for query, other in zip(queries, order, strict=True)}
    return dataclasses.replace(examples, qrels=qrels), len(queries)


def _shuffled_rows(rows: list[dict[str, Any]], seed: int) -> tuple[list[dict[str, Any]], int]:
    for name in ("label", "score", "positive", "answer"):
        if name in rows[0]:
            order = generator(seed, "labels").permutation(len(rows))
            return [{**row, name: rows[other].get(name)} for row, other in zip(rows, order, strict=True)], len(rows)
    return rows, 0


def shuffled_texts(texts: Sequence[str], seed: int) -> list[str]:
    """Return texts of the same lengths in words, whose words come from all texts.

    Examples
    --------
    >>> sorted(" ".join(shuffled_texts(["a b", "c"], 0)).split())
    ['a', 'b', 'c']
    """
    words = [text.split() for text in texts]
    pool = [word for row in words for word in row]
    mixed = iter([pool[i] for i in generator(seed, "texts").permutation(len(pool))])
    return [" ".join(next(mixed) for _ in row) for row in words]
