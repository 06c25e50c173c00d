"""``--use INDEX``: let an index search with what an adaptation gave."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from isogloss.collection.migrating import migrate
from isogloss.errors import IndexNotFoundError
from isogloss.protocols import Progress
from isogloss.workflows.adapting.writing import read_plan


def switch(index: str, folder: str | Path, *, threads: int | None = None, progress: Progress) -> dict[str, Any]:
    """Encode the chunks of an index with an adapted model and make it the one that answers.

    The old model's vectors stay, and answer until the new ones are whole.

    Parameters
    ----------
    index
        Folder of the index.
    folder
        Of the adaptation.
    threads, progress
        Of the encoder; told about the chunks.

    Raises
    ------
    IndexNotFoundError
        Where there is no index.
    UsageError
        Where the folder is none of an adaptation.
    """
    from isogloss.index.store.store import Store

    model, words = read_plan(Path(folder))
    if not Store.exists(index):
        raise IndexNotFoundError(f"there is no index at {index}", "", "run: isogloss add DIR")
    with Store.open(index, write=True) as store:
        name = migrate(store, model, words, threads=threads, progress=progress)
    return {"index": index, "model": name, "words": words}
