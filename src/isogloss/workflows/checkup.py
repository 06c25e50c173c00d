"""What ``isogloss doctor`` looks at: an index, or a model on a sample of the user's own texts, and the machine."""

from __future__ import annotations

import random
from itertools import islice
from pathlib import Path

from isogloss.errors import IncompatibleError, IsoglossError
from isogloss.protocols import Diagnosis, Record
from isogloss.seeding import derive

SAMPLE = 1000
"""Texts that a model is tried on; chosen at random among all chunks of an index, or the first ones of a source."""


def check_index(index: str | Path, *, threads: int | None = None) -> list[Diagnosis]:
    """Check the files of an index, its encoders and their coverage, then the machine.

    Parameters
    ----------
    index
        Folder of the index.
    threads
        Threads to use; None for all processors.

    Raises
    ------
    IncompatibleError
        Where the index is of a format that this version does not know.
    """
    from isogloss.collection.collection import Collection
    from isogloss.encoders.machine_checks import check_machine

    try:
        with Collection.open(index, threads=threads) as collection:
            findings = collection.check()
    except IncompatibleError:
        raise
    except IsoglossError as error:  # damage that keeps the index from opening is what was looked for
        findings = [Diagnosis("index", "problem", f"{error.what}: {error.why}", error.fix)]
    return [*findings, *check_machine()]


def check_model(
    model: str, *, texts: str | Path | None = None, index: str | Path | None = None, seed: int = 0
) -> list[Diagnosis]:
    """Check a model and the machine; on own texts too, for the share that the model would cut.

    Parameters
    ----------
    model
        Name or folder of the model.
    texts
        A file or folder to read texts from; whole documents, as a model would get them without chunking.
    index
        Where ``texts`` is not given: an index whose chunks are sampled; None, or a folder without an index, for none.
    seed
        Seed of the sample of chunks.
    """
    from isogloss.collection.collection import Collection
    from isogloss.encoders.diagnosis import diagnose

    sample = None
    if texts is not None:
        sample = _first_texts(texts)
    elif index is not None and Collection.exists(index):
        sample = _sampled_chunks(index, seed)
    return diagnose(model, texts=sample or None)


def _first_texts(source: str | Path) -> list[str]:
    from isogloss.corpus.read import read

    records = (item for item in read(source) if isinstance(item, Record))
    return [record.text for record in islice(records, SAMPLE)]


def _sampled_chunks(index: str | Path, seed: int) -> list[str]:
    import numpy as np

    from isogloss.index.store.store import Store

    store = Store.open(index)
    try:
        numbers = np.flatnonzero(store.snapshot.live).tolist()
        chosen = random.Random(derive(seed, "doctor")).sample(numbers, min(SAMPLE, len(numbers)))
        return [chunk.prefix + chunk.text for chunk in store.snapshot.chunks(sorted(chosen))]
    finally:
        store.close()
