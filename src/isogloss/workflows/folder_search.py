"""Search a folder without naming an index: the folder is read into an index of its own in the user's cache."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from isogloss.compiled import cache_folder
from isogloss.protocols import Progress, Silent

if TYPE_CHECKING:
    from isogloss.collection.results import AddReport


def index_folder(
    folder: str | Path, *, threads: int | None = None, progress: Progress | None = None
) -> tuple[Path, AddReport]:
    """Bring the cached index of ``folder`` up to date.

    The index lies in ``$XDG_CACHE_HOME/isogloss/folders`` under a name made of the folder's name and a hash of its
    real path, so that two folders never share one; nothing is written into the folder.

    Parameters
    ----------
    folder
        The folder to read.
    threads
        Threads to use; None for all processors.
    progress
        Where to report to; None for nowhere.

    Returns
    -------
    tuple
        Where the index lies, and what reading the folder changed.
    """
    from isogloss.collection.collection import Collection

    root = Path(folder).resolve()
    name = hashlib.blake2b(str(root).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    place = cache_folder() / "folders" / f"{root.name[:40] or 'root'}-{name}"
    place.parent.mkdir(parents=True, exist_ok=True)
    exists = Collection.exists(place)
    collection = (
        Collection.open(place, write=True, threads=threads) if exists else Collection.create(place, threads=threads)
    )
    with collection:
        return place, collection.add(root, yes=True, progress=progress or Silent())
