"""``run.json``: everything that a score depends on, in one file that can be compared and run again."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from isogloss.corpus.judgements import Qrels
from isogloss.errors import IncompatibleError, IsoglossError
from isogloss.evaluation.results import Comparison
from isogloss.protocols import EncodeReport, Record

FORMAT = "isogloss.run/1"
LIBRARIES = ("isogloss", "numpy", "scipy", "onnxruntime", "tokenizers")
"""Libraries whose version is recorded: the ones that scores pass through."""


@dataclass(frozen=True, slots=True)
class DataHash:
    """One input of an evaluation: what it is, how many items, and a hash of its content.

    Attributes
    ----------
    what
        ``documents``, ``questions``, ``qrels``, ``run NAME``, ``vectors NAME``, or the name of a task.
    sha256
        Hash of ids and texts, never of a file's name, time or layout.
    count
        Documents, questions, judgements or vectors.
    source
        Name of the data set or path as it was given, relative; empty where there is none.
    """

    what: str
    sha256: str
    count: int
    source: str = ""


@dataclass(frozen=True, slots=True)
class SystemSettings:
    """One system: which encoder, and how it was used.

    Attributes
    ----------
    name
        Name in the report.
    identity
        The encoder's identity (several joined by a blank for a fusion), or an empty string for runs and vectors.
    model
        Short name of the model, or the name of its folder.
    prompts
        Text put in front by role.
    pooling, dtype, similarity
        In words; ``dtype`` is that of the vectors.
    max_length
        The window in tokens (0: none).
    dimensions
        Of the vectors (0: words or a run).
    cut
        By role (``query``, ``document``): the counts of an :class:`~isogloss.protocols.EncodeReport` and ``share``, the
        share of texts that were cut.
    options
        Everything else that shapes the ranking: fusion, weights, chunking, k1 and b.
    """

    name: str
    identity: str = ""
    model: str = ""
    prompts: dict[str, str] = field(default_factory=dict)
    pooling: str = ""
    max_length: int = 0
    dimensions: int = 0
    dtype: str = ""
    similarity: str = ""
    cut: dict[str, dict[str, float]] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunFile:
    """An evaluation as it was run.

    Attributes
    ----------
    kind
        ``index``, ``runs``, ``vectors``, ``tasks``, ``questions`` (no labels) or ``compare``.
    command
        The words after ``isogloss``, paths relative (:func:`portable`).
    data
        Hashes of the inputs.
    systems
        Settings of each system.
    metrics
        Each metric by name, defined in words.
    scores
        ``scores[metric][system]`` is ``[value, low, high]``; metrics of several tasks are named ``TASK METRIC``.
    seed, draws
        Of everything drawn, and of the bootstrap.
    versions
        Of Python and the libraries that scores pass through.
    options
        What else the evaluation was given.
    """

    kind: str
    command: list[str]
    data: list[DataHash]
    systems: list[SystemSettings]
    metrics: dict[str, str]
    scores: dict[str, dict[str, list[float]]]
    seed: int = 0
    draws: int = 0
    versions: dict[str, str] = field(default_factory=lambda: versions())
    options: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data, the format's name first."""
        return {"format": FORMAT, **asdict(self)}

    def write(self, path: str | Path) -> None:
        """Write the file, aside and renamed; same content, same bytes."""
        path = Path(path)
        aside = path.with_name(f".{path.name}.{os.getpid()}")
        text = json.dumps(_plain(self.to_dict()), ensure_ascii=False, indent=1, sort_keys=True, allow_nan=False)
        aside.write_text(text + "\n", encoding="utf-8")
        os.replace(aside, path)


def read_run(path: str | Path) -> RunFile:
    """Read a ``run.json``.

    Raises
    ------
    IsoglossError
        Where the file cannot be read.
    IncompatibleError
        Where it is no ``run.json``, or of a later format (exit code 4).
    """
    name = Path(path).name
    try:
        content = json.loads(Path(path).read_text("utf-8"))
    except OSError as error:
        raise IsoglossError(f"{name} cannot be read", str(error.strerror), "give the path of a run.json") from error
    except ValueError as error:
        raise IncompatibleError(f"{name} is no run.json", f"it is not JSON: {error}", _MADE) from error
    found = content.pop("format", None) if isinstance(content, dict) else None
    if found != FORMAT:
        raise IncompatibleError(f"{name} is no run.json of this version", f"its format is {found!r}", _MADE)
    try:
        content["data"] = [DataHash(**one) for one in content["data"]]
        content["systems"] = [SystemSettings(**one) for one in content["systems"]]
        content["scores"] = {
            metric: {system: [float(value) for value in values] for system, values in systems.items()}
            for metric, systems in content["scores"].items()
        }
        run = RunFile(**content)
    except (TypeError, KeyError, AttributeError, ValueError) as error:
        raise IncompatibleError(f"{name} is damaged", f"a field is missing or unknown: {error}", _MADE) from error
    return run


_MADE = "isogloss eval --report report.html writes a run.json beside the report"


def describe(
    name: str, encoder: Any, reports: Mapping[str, EncodeReport] | None = None, **options: Any
) -> SystemSettings:
    """Describe a system by its encoder: identity, prompts, pooling, window, what was cut, type and similarity.

    Parameters
    ----------
    name
        Name in the report.
    encoder
        An Encoder; what it does not know of itself stays empty.
    reports
        What was cut, by role.
    options
        Everything else that shapes the ranking.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> model = SimpleNamespace(name="/models/small", window=128, similarity="cosine", dimensions=64)
    >>> system = describe("small", model, {"document": EncodeReport(10, 500, 2, 40, 128)}, fusion="none")
    >>> system.model, system.max_length, system.cut["document"]["share"]
    ('small', 128, 0.2)
    """
    plan = getattr(encoder, "plan", None)
    prompts = getattr(getattr(plan, "prompts", None), "value", None) or {}
    pooling = getattr(getattr(plan, "pooling", None), "value", "")
    similarity = getattr(encoder, "similarity", "")
    dense = getattr(encoder, "kind", "dense") == "dense"
    return SystemSettings(
        name=name,
        identity=str(getattr(encoder, "identity", "")),
        model=os.path.basename(str(getattr(encoder, "name", "")).rstrip("/\\")),
        prompts={str(role): str(text) for role, text in prompts.items() if text},
        pooling=pooling if isinstance(pooling, str) else " + ".join(map(str, pooling)),
        max_length=int(getattr(encoder, "window", 0)),
        dimensions=int(getattr(encoder, "dimensions", 0)) if dense else 0,
        dtype="float32" if dense else "",
        similarity=str(getattr(similarity, "value", similarity)),
        cut={role: cut_counts(report) for role, report in (reports or {}).items()},
        options=dict(options),
    )


def cut_counts(report: EncodeReport) -> dict[str, float]:
    """Return the counts of a report and the share of texts that were cut.

    Examples
    --------
    >>> cut_counts(EncodeReport(texts=4, tokens=40, cut=1, lost=8, window=16))["share"]
    0.25
    """
    return {**report.to_dict(), "share": report.cut / report.texts if report.texts else 0.0}


def interval_scores(comparisons: Iterable[Comparison], prefix: str = "") -> dict[str, dict[str, list[float]]]:
    """Return ``scores`` of a run file from comparisons.

    Examples
    --------
    >>> from isogloss.evaluation.results import Interval, Score
    >>> score = Score("words", 0.5, Interval(0.4, 0.6), 10, 10)
    >>> interval_scores([Comparison("ndcg@10", [score], [], [["words"]], 100, 0)])
    {'ndcg@10': {'words': [0.5, 0.4, 0.6]}}
    """
    return {
        f"{prefix}{one.metric}": {s.system: [s.value, s.interval.low, s.interval.high] for s in one.scores}
        for one in comparisons
    }


def hash_records(records: Iterable[Record], source: str = "") -> DataHash:
    """Hash documents by id, title and text, whatever their order.

    Examples
    --------
    >>> a, b = Record("a", "one"), Record("b", "two")
    >>> hash_records([a, b]).sha256 == hash_records([b, a]).sha256, hash_records([a, b]).count
    (True, 2)
    """
    return _hash("documents", ([r.id, r.title, r.text] for r in records), source)


def hash_questions(queries: Mapping[str, str], source: str = "") -> DataHash:
    """Hash questions by id and text, whatever their order."""
    return _hash("questions", ([id, text] for id, text in queries.items()), source)


def hash_qrels(qrels: Qrels, source: str = "") -> DataHash:
    """Hash judgements by question, document and grade, whatever their order.

    Examples
    --------
    >>> hash_qrels({"q": {"d": 1.0, "e": 0.0}}).count
    2
    """
    rows = ([q, d, repr(float(grade))] for q, judged in qrels.items() for d, grade in judged.items())
    return _hash("qrels", rows, source)


def hash_file(path: str | Path, what: str, source: str = "") -> DataHash:
    """Hash the bytes of a file (a run, an array of vectors); the count is its size in bytes."""
    digest, size = hashlib.sha256(), 0
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
            size += len(block)
    return DataHash(what, digest.hexdigest(), size, source or Path(path).name)


def hash_rows(what: str, rows: Iterable[Sequence[str]], source: str = "") -> DataHash:
    """Hash rows of texts, whatever their order: for tasks whose data are none of the above."""
    return _hash(what, rows, source)


def _hash(what: str, rows: Iterable[Sequence[str]], source: str) -> DataHash:
    """Hash rows through the sorted hashes of each, so that the order of a file does not matter."""
    digests = sorted(hashlib.sha256("\x1f".join(row).encode("utf-8", "surrogatepass")).digest() for row in rows)
    return DataHash(what, hashlib.sha256(b"".join(digests)).hexdigest(), len(digests), source)


def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that scores pass through (``-`` where one is missing).

    Examples
    --------
    >>> sorted(versions())
    ['isogloss', 'numpy', 'onnxruntime', 'python', 'scipy', 'tokenizers']
    """
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "-"
    return found


def portable(words: Sequence[str], folder: str | Path = ".") -> list[str]:
    """Return the words of a command with paths relative to ``folder``; what lies elsewhere keeps its last name only.

    A run file must not tell where somebody's home is. ``isogloss reproduce --data DIR`` finds files that lay
    elsewhere by their names, and the hashes say whether they are the same.

    Examples
    --------
    >>> portable(["eval", "--qrels", "/somewhere/else/q.trec", "--report=/far/out.html", "-k", "10"])
    ['eval', '--qrels', 'q.trec', '--report=out.html', '-k', '10']
    """
    return [_portable(word, os.path.abspath(folder)) for word in words]


def _portable(word: str, folder: str) -> str:
    option, equals, value = word.partition("=") if word.startswith("-") else ("", "", word)
    if "://" in value:
        return word
    return option + equals + ",".join(_relative(part, folder) for part in value.split(","))


def _relative(path: str, folder: str) -> str:
    path = os.path.expanduser(path) if path.startswith("~") else path
    if not (os.path.isabs(path) or path.split(os.sep)[0] == os.pardir):
        return path
    relative = os.path.relpath(os.path.join(folder, path), folder)
    return os.path.basename(path.rstrip(os.sep)) if relative.split(os.sep)[0] == os.pardir else relative


def _plain(value: Any) -> Any:
    """Return plain JSON data; NaN and infinities become their names, which JSON cannot say as numbers."""
    if isinstance(value, float) and (value != value or abs(value) == float("inf")):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value.item() if hasattr(value, "item") and not hasattr(value, "__len__") else value
