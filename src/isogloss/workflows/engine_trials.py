"""A model on every engine of this machine: how each agrees with ONNX Runtime in fp32, and how fast it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from isogloss.errors import UsageError
from isogloss.protocols import PROBE_TEXTS

if TYPE_CHECKING:
    from isogloss.encoders.engines.probe import Trial


def engine_trials(name: str, texts: Sequence[str] | None = None, *, threads: int | None = None) -> tuple[Trial, ...]:
    """Encode a sample of texts with every engine and precision that this machine has.

    Parameters
    ----------
    name
        A transformer, by a name for ``load_encoder``.
    texts
        Texts to take the sample from; ``None`` for eight fixed sentences.
    threads
        Threads of each engine; ``None`` for the default.

    Returns
    -------
    tuple of Trial
        ONNX Runtime in fp32 first; one that cannot run this model says why.

    Raises
    ------
    UsageError
        Where the model has no transformer, or there is no text.
    """
    from isogloss.encoders.engine_encoder import compare_engines
    from isogloss.encoders.names import load_encoder
    from isogloss.encoders.transformer import TransformerEncoder

    encoder = load_encoder(name, threads=threads, engine="onnx", precision="fp32")
    if not isinstance(encoder, TransformerEncoder):
        raise UsageError(
            f"{name} runs on no engine", "it is no transformer that gives one vector a text", "name another"
        )
    if texts is not None and not texts:
        raise UsageError("there is no text to try the engines on", "", "give a file with one text a line")
    return compare_engines(encoder, PROBE_TEXTS if texts is None else texts)
