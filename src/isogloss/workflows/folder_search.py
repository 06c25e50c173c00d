"""Search a folder without naming an index: the folder is read into an index of its own in the user's cache."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from isogloss.compiled import cache_folder
from isogloss.errors import IncompatibleError
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
    root = Path(folder).resolve()
    name = hashlib.blake2b(str(root).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    place = cache_folder() / "folders" / f"{root.name[:40] or 'root'}-{name}"
    place.parent.mkdir(parents=True, exist_ok=True)
    return place, refresh(place, root, threads=threads, progress=progress)


def refresh(
    index: str | Path, source: str | Path, *, threads: int | None = None, progress: Progress | None = None
) -> AddReport:
    """Bring an index that this program made for itself up to date with its source.

    An index of another model or format, as an earlier version leaves it, is deleted and made anew: it holds nothing
    that the source does not.

    Parameters
    ----------
    index
        Folder of the index; made where it is not there.
    source
        The folder that it is an index of.
    threads
        Threads to use; None for all processors.
    progress
        Where to report to; None for nowhere.
    """
    from isogloss.collection.collection import Collection

    progress = progress or Silent()
    if Collection.exists(index):
        try:
            with Collection.open(index, write=True, threads=threads) as collection:
                return collection.add(source, yes=True, progress=progress)
        except IncompatibleError:
            shutil.rmtree(index)
    with Collection.create(index, threads=threads) as collection:
        return collection.add(source, yes=True, progress=progress)
