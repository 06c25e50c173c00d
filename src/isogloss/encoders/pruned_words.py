"""Words of fastText models that were pruned: n-grams without a row take no part in a word's mean."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Dense
from isogloss.encoders.array_file import ArrayFile
from isogloss.encoders.fasttext_file import FastTextModel, PrunedFastText
from isogloss.encoders.static import read_arrays
from isogloss.encoders.word_store import ARRAYS, SETTINGS, WordStore, mean_rows
from isogloss.encoders.word_vector_encoder import WordVectorEncoder, sif_weights
from isogloss.errors import ModelError, UsageError
from isogloss.text.letter_hashes import LetterHashes, letter_hashes

PRUNED = "pruned-1"
"""Version of such a folder: who does not know of pruning refuses it, instead of counting n-grams that are gone."""
GRAMS = "kept-grams.safetensors"


@dataclass(frozen=True)
class PrunedWordStore(WordStore):
    """Words and vectors of a pruned model, mapped from a folder; ``arrays`` has ``kept`` and ``places`` beside.

    fastText's ``quantize -cutoff`` keeps the rows of the words and n-grams that weigh most in a classifier (Joulin et
    al. 2016, "FastText.zip", https://arxiv.org/abs/1612.03651, section 3.2) and forgets the rest.

    Examples
    --------
    With a pruned model::

        store = PrunedWordStore.load(convert("lid.176.ftz", "languages"))
        store.of_letters(["isogloss"])  # (1, 16)
    """

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Open a folder that :func:`~isogloss.encoders.word_conversion.convert` wrote of a pruned model.

        Raises
        ------
        ModelError
            Where it is none, or not whole.
        """
        folder = Path(folder)
        settings = settings_of(folder)
        if settings.get("version") != PRUNED:
            why = f"version {settings.get('version')!r}; {PRUNED!r} is expected"
            raise ModelError(f"{folder} holds no words of a pruned model", why, "convert the file anew")
        arrays = dict(read_arrays(folder / ARRAYS)[0]) | dict(read_arrays(folder / GRAMS)[0])
        if len(arrays["embeddings"]) != settings["words"] or len(arrays["kept"]) != len(arrays["buckets"]):
            why = f"{len(arrays['embeddings']):,} of {settings['words']:,} words, {len(arrays['kept']):,} n-grams"
            raise ModelError(f"{folder} is not whole", why, "convert the file anew")
        return cls(arrays, settings)

    def of_letters(self, words: Sequence[str]) -> Dense:
        """Return the means of the rows that words' letter n-grams have kept, ``(n, d)``; zeros where none has."""
        found = letter_hashes(words, self.settings["shortest"], self.settings["longest"])
        rows, offsets = _kept(found, self.settings["of_buckets"], self.arrays["kept"], self.arrays["places"])
        return mean_rows(self.arrays["buckets"], rows, offsets)


def rows_of_letters(model: FastTextModel, found: LetterHashes) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the rows (behind those of the words) of n-grams, and where each word's begin; pruned ones are left out."""
    if isinstance(model, PrunedFastText):
        return _kept(found, model.buckets, model.kept, model.places)
    return found.hashes % np.uint32(model.buckets), found.offsets


def _kept(
    found: LetterHashes, buckets: int, kept: NDArray[Any], places: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the rows of the n-grams that have one, and the words' new offsets."""
    numbers = (found.hashes % np.uint32(buckets)).astype(np.int64)
    at = np.minimum(np.searchsorted(kept, numbers), len(kept) - 1)
    there = np.asarray(kept[at] == numbers)
    before = np.concatenate([[0], np.cumsum(there)]).astype(np.int64)
    return np.asarray(places[at[there]]), before[found.offsets]


def write_pruned(folder: Path, model: PrunedFastText, digest: str) -> dict[str, Any]:
    """Write which n-grams have a row beside the arrays of a folder; return what its settings say instead."""
    with ArrayFile(folder / GRAMS) as file:
        file.add("kept", model.kept)
        file.add("places", model.places)
        file.finish({"format": PRUNED})
    whole = hashlib.sha256(digest.encode() + model.kept.tobytes() + model.places.tobytes())
    return {"version": PRUNED, "of_buckets": model.buckets, "digest": whole.hexdigest()}


def settings_of(folder: Path) -> Mapping[str, Any]:
    """Return what a folder of word vectors says of itself.

    Raises
    ------
    ModelError
        Where it says nothing.
    """
    try:
        found: Mapping[str, Any] = json.loads((folder / SETTINGS).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{folder} holds no word vectors", f"{SETTINGS}: {error}", "convert the file anew") from error
    return found


def open_words(folder: Path, *, name: str | None = None) -> WordVectorEncoder:
    """Return the encoder of a converted folder, of a pruned model or any other, with the settings it keeps.

    Raises
    ------
    ModelError
        Where the folder is none of ours, or not whole.
    UsageError
        Where a setting is not known.
    """
    if settings_of(folder).get("version") != PRUNED:
        return WordVectorEncoder.load(folder, name=name)
    store = PrunedWordStore.load(folder)
    kept = dict(store.settings["encoder"])
    if set(kept) - {"unknown", "unit_words", "finish", "sif"}:
        raise UsageError(f"{folder} has settings that are not known", f"{sorted(kept)}", "convert the file anew")
    weights = sif_weights(store, a=float(kept.pop("sif"))) if "sif" in kept else None
    return WordVectorEncoder(store, weights=weights, name=name, **kept)
