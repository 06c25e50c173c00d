"""The encoders of an index: made by name, recorded with identity and probes, checked before they encode."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from isogloss.collection.fingerprint import check_encoder, pack_probes, unpack_probes
from isogloss.errors import IncompatibleError, ModelError, UsageError
from isogloss.index.store.rows import StoredEncoder

if TYPE_CHECKING:
    from isogloss.index.store.store import Store


@dataclass(slots=True)
class IndexEncoder:
    """A loaded encoder under the name that the index knows it by."""

    name: str
    model: Any
    kind: str
    speed: str
    languages: frozenset[str] | None


def absolute_name(name: str) -> str:
    """Return the path of a model's folder or file in full, so that an index finds it from anywhere; others as given."""
    from isogloss.encoders.names import is_word_file

    if is_word_file(name):
        return os.path.abspath(os.path.expanduser(name))
    return os.path.abspath(name) if os.sep in name and os.path.isdir(name) else name


def load(name: str, threads: int | None = None) -> IndexEncoder:
    """Load an encoder by name and check that an index can hold what it gives."""
    from isogloss.encoders.names import load_encoder

    name = absolute_name(name)
    model: Any = load_encoder(name, threads=threads)
    if model.kind not in ("words", "dense"):
        raise IncompatibleError(f"{name} gives {model.kind} vectors", "an index holds words and dense vectors", "")
    return IndexEncoder(name, model, model.kind, model.speed, model.languages)


def stored_form(encoder: IndexEncoder, position: int) -> StoredEncoder:
    """Return what the index records of an encoder."""
    return StoredEncoder(
        name=encoder.name,
        kind=encoder.kind,
        identity=encoder.model.identity,
        similarity=encoder.model.similarity.value,
        dimensions=encoder.model.dimensions if encoder.kind == "dense" else 0,
        spec={"languages": sorted(encoder.languages) if encoder.languages else None, "speed": encoder.speed},
        probes=pack_probes(encoder.model.probes),
        position=position,
    )


def load_checked(record: StoredEncoder, threads: int | None = None) -> IndexEncoder:
    """Load the encoder of a record and prove by its probe vectors that it is the same one.

    Raises
    ------
    IncompatibleIndexError
        Where it is another one (exit code 4).
    """
    encoder = load(record.name, threads)
    check_encoder(encoder.model, record.name, record.identity, unpack_probes(record.probes))
    return encoder


def choose(names: Sequence[str], records: Sequence[StoredEncoder]) -> list[StoredEncoder]:
    """Pick stored encoders by name; ``words`` also finds ``words:en``.

    Raises
    ------
    UsageError
        Where the index has no such encoder.
    """
    chosen = []
    for name in names:
        found = [r for r in records if r.name == name] or [r for r in records if r.name.split(":")[0] == name]
        if not found:
            raise UsageError(
                f"the index has no encoder {name!r}",
                f"it has {', '.join(record.name for record in records)}",
                f"add it: isogloss add DIR --with {','.join([*(r.name for r in records), name])}",
            )
        chosen.append(found[0])
    return chosen


def ensure(store: Store, names: Sequence[str], threads: int | None = None) -> tuple[list[IndexEncoder], list[str]]:
    """Load every encoder of the index, adding those of ``names`` that it lacks, words first and slow ones last.

    Returns
    -------
    tuple
        The encoders, and a note for each that the index has and this machine has not.
    """
    records = {record.name: record for record in store.snapshot.encoders()}
    known, notes = [], []
    for record in records.values():
        try:
            known.append(load_checked(record, threads))
        except ModelError as error:
            notes.append(f"{record.name} is not on this machine and was left out: {error.what}")
    new = [load(name, threads) for name in dict.fromkeys(map(absolute_name, names)) if name not in records]
    if new:
        with store.transaction() as transaction:
            for place, encoder in enumerate(new, start=len(records)):
                transaction.set_encoder(stored_form(encoder, place))
    return sorted(known + new, key=lambda encoder: (encoder.speed == "slow", encoder.kind != "words")), notes
