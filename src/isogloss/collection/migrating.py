"""Another model for an index: its vectors are made beside the old ones, then one commit lets it answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isogloss.collection.encoders import absolute_name, ensure
from isogloss.collection.encoding import catch_up
from isogloss.collection.plan import KEY
from isogloss.collection.results import EncoderRun
from isogloss.protocols import Progress

if TYPE_CHECKING:
    from isogloss.index.store.store import Store


def migrate(store: Store, model: str, words: float, *, threads: int | None = None, progress: Progress) -> str:
    """Encode every chunk with a model and let it answer, alone or beside the words.

    Interrupted, it keeps what it has encoded and changes nothing of how the index answers; the next call goes on.

    Parameters
    ----------
    store
        Open for writing.
    model
        Name or folder.
    words
        Weight of the words beside it (1); 0: it answers alone.
    threads, progress
        Of the encoder; told about the chunks.

    Returns
    -------
    str
        The name that the index knows the model by.
    """
    from isogloss.collection.updating import measure_background

    name = absolute_name(model)
    encoders, _ = ensure(store, [*(["words"] if words else []), name], threads)
    chosen = [encoder for encoder in encoders if encoder.name == name or (words and encoder.kind == "words")]
    background = dict(store.snapshot.settings.get("background", {}))
    for encoder in chosen:
        catch_up(store, encoder, EncoderRun(), progress)
        if encoder.name not in background:
            background[encoder.name] = measure_background(store, encoder)
    weights = {encoder.name: words if encoder.kind == "words" else 1.0 for encoder in chosen}
    with store.transaction() as transaction:
        transaction.set_settings(dict(store.snapshot.settings) | {"background": background, KEY: {"weights": weights}})
    return name
