"""Static encoders with more modules behind the mean, and prompts in front: what StaticEncoder alone does not do."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from isogloss.arrays import Dense, Similarity
from isogloss.encoders.engines.weights import digest, read_headers
from isogloss.encoders.model_folder import read_prompts, read_similarity
from isogloss.encoders.model_modules import ModuleEntry, read_modules, read_steps, width_after
from isogloss.encoders.model_plan import NormaliseStep, Step
from isogloss.encoders.pooling import load_step
from isogloss.encoders.static import StaticEncoder, TokenVectors
from isogloss.encoders.surface import EncoderSurface, as_texts
from isogloss.errors import ModelError, UnsupportedModelError
from isogloss.protocols import EncodeReport, Role
from isogloss.vocabulary.tokenizer_pieces import TokenizerPieces
from isogloss.vocabulary.wordpiece import WordPiece, unlike_bert


class StaticChainEncoder(EncoderSurface):
    """The mean of token vectors, sent through dense layers, layer norms and normalisation.

    Parameters
    ----------
    base
        The token vectors and their mean.
    steps
        What follows, in order.
    prompts
        Texts in front of the input, for ``"query"``, ``"document"`` and ``""``.
    similarity
        How vectors are compared.
    """

    kind: Literal["words", "dense"] = "dense"
    speed: Literal["fast", "slow"] = "fast"
    window = 0

    def __init__(
        self, base: StaticEncoder, steps: Sequence[Step] = (), *, prompts: Mapping[str, str] | None = None,
        similarity: Similarity = Similarity.COSINE,
    ) -> None:  # fmt: skip
        self.base, self.steps, self.similarity = base, tuple(steps), similarity
        self.prompts = dict(prompts or {})
        self.name, self.languages = base.name, base.languages
        self.dimensions: int = width_after(base.dimensions, self.steps)
        self._functions = [load_step(step) for step in self.steps]

    @cached_property
    def identity(self) -> str:
        """Hash of token vectors, steps with their weights, prompts and similarity."""
        folders = [step.folder for step in self.steps if not isinstance(step, NormaliseStep)]
        settings = [self.base.identity, [step.to_dict() for step in self.steps], sorted(self.prompts.items())]
        settings += [[digest(read_headers(folder)) for folder in folders], self.similarity.value]
        return hashlib.sha256(json.dumps(settings).encode()).hexdigest()

    def encode(
        self,
        inputs: str | Iterable[str],
        *,
        role: Role | None = None,
        instruction: str | None = None,
        report: EncodeReport | None = None,
    ) -> Dense:
        """Encode texts as ``(n, d)`` float32; ``role`` chooses the prompt, ``instruction`` stands for it."""
        prompt = self.prompts.get(role or "", "") if instruction is None else instruction
        vectors = self.base.encode([prompt + text for text in as_texts(inputs)], report=report)
        for function in self._functions:
            vectors = function(vectors)
        return vectors


def open_static_chain(
    folder: str | Path, *, threads: int | None = None, max_length: int | None = None, name: str = "",
    modules: Sequence[ModuleEntry] | None = None,
) -> StaticChainEncoder:  # fmt: skip
    """Open a folder of a StaticEmbedding and modules behind it.

    Parameters
    ----------
    folder
        The model's folder.
    threads
        Threads for bulk work.
    max_length
        Is not used: texts of any length are read whole.
    name
        Name of the model, where it is known better than from the folder.
    modules
        The modules, where the caller has read them (a branch of a router); else those of ``modules.json``.

    Raises
    ------
    ModelError
        Where the folder is incomplete or contradicts itself.
    UnsupportedModelError
        Where a module is not supported.
    """
    folder = Path(folder)
    first, *rest = read_modules(folder) if modules is None else modules
    wrong = [entry.kind for entry in rest if entry.kind not in ("Dense", "Normalize", "LayerNorm", "Dropout")]
    if first.kind != "StaticEmbedding" or wrong:
        raise UnsupportedModelError(
            "the order of modules is not supported", f"{folder} has {', '.join([first.kind, *wrong])}",
            "use StaticEmbedding with Dense, LayerNorm and Normalize modules behind it",
        )  # fmt: skip
    base = _token_means(folder / first.path, name or folder.resolve().name, threads)
    return StaticChainEncoder(
        base, read_steps(folder, rest), prompts=read_prompts(folder, name),
        similarity=read_similarity(folder, Similarity.COSINE),
    )  # fmt: skip


def _token_means(folder: Path, name: str, threads: int | None) -> StaticEncoder:
    """Read the module alone, whatever stands beside it in the folder; unknown tokens count in its mean."""
    place = read_headers(folder).get("embedding.weight")
    file = folder / "tokenizer.json"
    if place is None or len(place.shape) != 2 or not file.is_file():
        missing = "tokenizer.json" if place is not None and len(place.shape) == 2 else "a table embedding.weight"
        raise ModelError("a static model is incomplete", f"{folder} has no {missing}", "fetch the model again")
    content = file.read_text("utf-8")
    plan = json.loads(content)
    pieces = TokenizerPieces(content) if unlike_bert(plan) else WordPiece.from_plan(plan)
    rows = place.read()
    return StaticEncoder(
        pieces, TokenVectors(rows, np.ones(len(rows), np.float32)), finish="mean", name=name, threads=threads
    )
