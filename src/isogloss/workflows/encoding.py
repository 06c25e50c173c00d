"""A corpus becomes a file of vectors, by one process or several; what was done is kept, and the next run goes on."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from isogloss.collection.encoders import absolute_name
from isogloss.compiled import numba_available
from isogloss.encoders.engine_encoder import EngineEncoder
from isogloss.encoders.engines.onnx import default_threads
from isogloss.encoders.engines.seam import ENGINES
from isogloss.encoders.names import load_encoder
from isogloss.encoders.shared_block import VECTORS, Finished, Order, digest, make_vectors, open_vectors
from isogloss.encoders.sharing import shared_blocks
from isogloss.encoders.text_spool import ENDS, TEXTS, WINDOW, blocks, open_spool, write_spool
from isogloss.encoders.windows import windowed
from isogloss.errors import CorpusError, IncompatibleError, IndexBusyError, UsageError
from isogloss.index.store.lock import LOCK_NAME, WriterLock
from isogloss.protocols import EncodeReport, Progress, Record, Role, Silent, Skip

IDS, ABOUT = "ids.txt", "encoding.json"
_DONE, _SETTINGS = "blocks.jsonl", "settings.json"
_OWN = (TEXTS, ENDS, _DONE, _SETTINGS, LOCK_NAME)
"""What only a run needs, and is deleted at its end."""
_TRIAL = 4096  # texts that a trial of the engines chooses its sample from


@dataclass(frozen=True, slots=True)
class EncodingPlan:
    """How a corpus is encoded.

    Attributes
    ----------
    model
        A name for ``load_encoder``; it must give dense vectors.
    processes
        Processes that share the work; each loads the model once.
    threads
        Threads in all; ``None`` for the processors that this process may use. Each process has at least one.
    role, instruction
        As for ``encode``.
    max_length
        Longest input in tokens; ``None`` for the model's own.
    engine, precision
        As for ``load_encoder``.
    shard
        ``(i, n)``: of every ``n`` windows of 8,192 texts, encode the ``i``-th, from 1 on; for several machines.
    windows
        Whether texts longer than the model's window are read in several; else they are cut.
    """

    model: str = "minilm"
    processes: int = 1
    threads: int | None = None
    role: Role | None = "document"
    instruction: str | None = None
    max_length: int | None = None
    engine: str | None = None
    precision: str | None = None
    shard: tuple[int, int] = (1, 1)
    windows: bool = False


@dataclass(slots=True)
class EncodingReport:
    """What a run did.

    Attributes
    ----------
    folder
        Where the vectors are.
    model, engine, precision
        What encoded.
    texts, dimensions
        Rows and columns of the vectors.
    found
        Texts that an earlier run had encoded.
    processes
        Processes that took part.
    seconds
        Of this run.
    cut
        What the model cut, one sentence; empty where nothing was.
    skipped
        Records that could not be read, by reason.
    """

    folder: str
    model: str
    engine: str
    precision: str
    texts: int
    dimensions: int
    found: int
    processes: int
    seconds: float
    cut: str = ""
    skipped: dict[str, int] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain data."""
        return asdict(self)


def encode_records(
    items: Iterable[Record | Skip], out: str | Path, plan: EncodingPlan, *, progress: Progress | None = None
) -> EncodingReport:
    """Encode each record's text, one vector a record, into a folder that is whole once it is there.

    The folder gets ``vectors.npy`` ``(n, d)`` float32, ``ids.txt`` with an id a line in the same order, and
    ``encoding.json``. Until then everything lies in ``OUT.partial``: a run that was killed loses the blocks under way,
    about a second of work a process, and the same call goes on where it was. Vectors are the same bit for bit however
    many processes there are and however often the run was stopped; those of ``encode`` to 1e-5.

    Parameters
    ----------
    items
        Records; skips among them are counted. They are read again by a run that goes on, and must be the same.
    out
        The folder; it must not be there, or be empty.
    plan
        Model and processes.
    progress
        Where to report to; None for nowhere.

    Raises
    ------
    UsageError
        Where the plan makes no sense, the folder is there, or ``OUT.partial`` belongs to another encoding.
    CorpusError
        Where there is no text.
    ModelError
        Where the model is not on this machine.
    IndexBusyError
        Where another run writes to the same folder.

    Examples
    --------
    >>> import tempfile
    >>> records = [Record("a", "heat and snow"), Record("b", "gold")]
    >>> folder = Path(tempfile.mkdtemp()) / "out"
    >>> encode_records(records, folder, EncodingPlan("static")).texts
    2
    >>> (folder / "ids.txt").read_text().split()
    ['a', 'b']
    """
    began, target = time.perf_counter(), Path(out)
    _check(plan, target)
    work = target.with_name(target.name + ".partial")
    with _alone(work, target):
        skipped: dict[str, int] = {}
        count, content = write_spool(work, _texts(_shard(items, plan.shard, skipped), work))
        if not count:
            raise CorpusError("there is nothing to encode", _nothing(plan, skipped), "check the source")
        order, settings = _prepare(work, plan, count, content)
        done = _kept(work, settings)
        numbers = [i for i in range(len(blocks(open_spool(work).sizes))) if i not in done]
        found = count - _encode(work, order, numbers, plan.processes, done, progress or Silent())
        cut = _cut(done)
        about = {"format": 1, **settings, "cut": cut.to_dict()}
        _finish(work, target, about)
    return EncodingReport(
        str(target), plan.model, order.engine, order.precision, count, settings["dimensions"], found,
        max(1, min(plan.processes, len(numbers))), time.perf_counter() - began, cut.sentence(), skipped,
    )  # fmt: skip


def _check(plan: EncodingPlan, target: Path) -> None:
    shard, of = plan.shard
    if plan.processes < 1:
        raise UsageError("there are no processes to encode with", f"processes is {plan.processes}", "give at least 1")
    if not 1 <= shard <= of:
        raise UsageError(f"there is no shard {shard}/{of}", "", "shards are 1/N to N/N")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        why = "it holds a finished encoding" if (target / ABOUT).is_file() else "it is not empty"
        raise UsageError(f"{target} is there already", why, "choose another folder, or delete it")


@contextmanager
def _alone(work: Path, target: Path) -> Iterator[None]:
    """Hold the folder of a run, so that no other run writes to it."""
    work.mkdir(parents=True, exist_ok=True)
    lock = WriterLock(work)
    try:
        lock.acquire()
    except IndexBusyError as error:
        raise IndexBusyError(
            f"another run encodes into {target}", error.why.replace("writing to it", "at it"), "wait until it is done"
        ) from None
    try:
        yield
    finally:
        lock.release()


def _shard(items: Iterable[Record | Skip], shard: tuple[int, int], skipped: dict[str, int]) -> Iterator[Record]:
    """Give the records of a shard, which takes windows in turn with the others; count what could not be read."""
    i, of = shard
    number = 0
    for item in items:
        if isinstance(item, Skip):
            skipped[item.reason] = skipped.get(item.reason, 0) + 1
            continue
        if number // WINDOW % of == i - 1:
            yield item
        number += 1


def _texts(records: Iterable[Record], work: Path) -> Iterator[str]:
    """Give each record's text, and write its id."""
    with open(work / IDS, "w", encoding="utf-8", errors="surrogateescape", newline="\n") as ids:
        for record in records:
            if len(record.id.splitlines()) > 1 or record.id.endswith(("\n", "\r")):
                raise UsageError("an id cannot stand in a line", f"it is {record.id!r}", "give the text another id")
            ids.write(record.id + "\n")
            yield record.text


def _nothing(plan: EncodingPlan, skipped: dict[str, int]) -> str:
    if plan.shard[1] > 1:
        return f"shard {plan.shard[0]}/{plan.shard[1]} is empty: a shard takes whole windows of {WINDOW:,} texts"
    left = ", ".join(f"{count} {reason}" for reason, count in sorted(skipped.items()))
    return f"no text was read; left out: {left or 'nothing'}"


def _prepare(work: Path, plan: EncodingPlan, count: int, content: str) -> tuple[Order, dict[str, Any]]:
    """Load the model once, settle its engine, and return the order for all processes and what must not change."""
    earlier = _read_json(work / _SETTINGS)
    encoder: Any = load_encoder(
        plan.model, threads=plan.threads, max_length=plan.max_length, engine=plan.engine, precision=plan.precision
    )
    if encoder.kind != "dense":
        raise IncompatibleError(f"{plan.model} gives {encoder.kind} vectors", "a file holds dense ones", "name another")
    asked = list(getattr(encoder, "asked", ("onnx", "fp32")))
    if earlier is not None and earlier.get("asked") == asked:
        engine, precision = earlier["engine"], earlier["precision"]  # what a trial chose then
    elif isinstance(encoder, EngineEncoder):
        engine, precision = encoder.settle(open_spool(work).take(_spread(count)))
    else:
        engine, precision = "onnx", "fp32"
    threads = max(1, (plan.threads or default_threads()) // plan.processes)
    order = Order(
        str(work), absolute_name(plan.model), engine, precision, threads, plan.max_length, plan.role, plan.instruction,
        plan.windows,
    )  # fmt: skip
    read = windowed(encoder) if plan.windows else encoder
    from importlib import metadata

    kernels = ("numba",) if numba_available() else ()
    needs = {"numpy", "tokenizers", *(ENGINES[engine].needs if hasattr(encoder, "plan") else kernels)}
    settings = {
        "model": read.name, "identity": read.identity, "similarity": encoder.similarity.value,
        "asked": asked, "engine": engine, "precision": precision,
        "device": os.environ.get("ISOGLOSS_DEVICE", "cpu") if engine == "torch" else "cpu",
        "role": plan.role, "instruction": plan.instruction,
        "max_length": plan.max_length, "shard": "/".join(map(str, plan.shard)), "texts": count, "content": content,
        "ids": _digest_of(work / IDS), "dimensions": encoder.dimensions,
        "versions": {name: metadata.version(name) for name in sorted(needs)},
    }  # fmt: skip
    return order, settings


def _spread(count: int) -> Any:
    import numpy as np

    return np.arange(0, count, max(1, count // _TRIAL), dtype=np.int64)


def _digest_of(path: Path) -> str:
    import hashlib

    with open(path, "rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()[:32]


def _read_json(path: Path) -> dict[str, Any] | None:
    with suppress(OSError, ValueError):
        found = json.loads(path.read_text("utf-8"))
        return found if isinstance(found, dict) else None
    return None


def _kept(work: Path, settings: dict[str, Any]) -> dict[int, Finished]:
    """Return the blocks that an earlier run has encoded, each proved by its hash; make the files where there was none.

    Raises
    ------
    UsageError
        Where the earlier run was another encoding; the message names what differs.
    """
    earlier = _read_json(work / _SETTINGS)
    if earlier is None or not (work / VECTORS).is_file():
        (work / _DONE).unlink(missing_ok=True)
        make_vectors(work, settings["texts"], settings["dimensions"])
        aside = work / (_SETTINGS + ".new")
        aside.write_text(json.dumps(settings), "utf-8")
        os.replace(aside, work / _SETTINGS)
        return {}
    differ = [name for name in settings if earlier.get(name) != settings[name]]
    if differ:
        first = differ[0]
        raise UsageError(
            f"{work} holds the work of another encoding",
            f"it differs in {', '.join(differ)}: {first} was {earlier.get(first)}, is {settings[first]}",
            f"choose another folder, or delete it: rm -r {work}",
        )
    plan, vectors, found = blocks(open_spool(work).sizes), open_vectors(work), {}
    for line in (work / _DONE).read_bytes().splitlines(keepends=True) if (work / _DONE).is_file() else []:
        with suppress(ValueError, TypeError):  # the last line may be cut off
            one = Finished(**json.loads(line))
            if 0 <= one.block < len(plan) and digest(vectors[plan[one.block]]) == one.digest:
                found[one.block] = one
    return found


def _encode(
    work: Path, order: Order, numbers: list[int], processes: int, done: dict[int, Finished], progress: Progress
) -> int:
    """Encode the blocks, note each that is done; return how many texts they have."""
    plan = blocks(open_spool(work).sizes)
    texts = sum(len(plan[i]) for i in numbers)
    progress.start("encode", texts, "texts")
    try:
        with open(work / _DONE, "ab") as file, closing(shared_blocks(order, numbers, processes)) as finished:
            file.write(b"\n")  # behind a line that was cut off
            for one in finished:
                file.write(json.dumps(asdict(one)).encode() + b"\n")
                file.flush()
                done[one.block] = one
                progress.advance(len(plan[one.block]))
    finally:
        progress.finish()
    return texts


def _cut(done: dict[int, Finished]) -> EncodeReport:
    """Add up what the model cut, over this run and those before it."""
    whole = EncodeReport()
    for one in done.values():
        whole.add(**one.report)
    return whole


def _finish(work: Path, target: Path, about: dict[str, Any]) -> None:
    """Bring everything to the disk, and give the folder its name: from then on it is whole."""
    (work / ABOUT).write_text(json.dumps(about, indent=2, ensure_ascii=False) + "\n", "utf-8")
    for name in (VECTORS, IDS, ABOUT):
        with open(work / name, "rb+") as file:
            os.fsync(file.fileno())
    if target.is_dir():
        target.rmdir()
    os.replace(work, target)
    for name in _OWN:
        (target / name).unlink(missing_ok=True)


def line_records(path: str | Path) -> Iterator[Record | Skip]:
    """Read a file with one text a line; its number is its id, empty lines are skips.

    Raises
    ------
    UsageError
        Where the file is no UTF-8 text.
    """
    try:
        with open(path, encoding="utf-8-sig") as file:
            for number, line in enumerate(file, 1):
                text = line.strip()
                yield Record(str(number), text) if text else Skip(str(number), "empty")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is no UTF-8 text", str(error), "save it as UTF-8") from error
