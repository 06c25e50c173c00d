"""tiny-s2s: reads text, writes text. MiniLM's first layers read and stay; a new decoder learns to fill in spans."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from isogloss.errors import CorpusError
from isogloss.learners.kneser_ney import fit_ngrams
from isogloss.nn.packing import pack
from isogloss.objectives.sequence import TeacherForcing
from isogloss.protocols import Progress, Silent
from isogloss.seeding import generator
from isogloss.training.base_models._admission import CLEARLY, bits
from isogloss.training.base_models._plan import Admission, BaseModel, Material
from isogloss.training.base_models._text import DATA, held_out, learned
from isogloss.training.denoising import corrupted
from isogloss.training.loop import train
from isogloss.training.models import keep_layers, load_trainable
from isogloss.training.sequence_batches import FrozenSources, SequenceBatches
from isogloss.training.stage import Optimiser, Player, Stage
from isogloss.training.text_to_text import TextToText
from isogloss.vocabulary.wordpiece import WordPiece

Ids = NDArray[np.int64]

LAYERS, DECODER_LAYERS, POSITIONS = 3, 1, 32
STEPS, RATE, BATCH, LONGEST = 280, 2e-3, 24, 56
PAIRS = 3360
"""Texts with spans taken out; each is read once, and learned from twice."""
SENTINELS = tuple(range(1, 33))
"""BERT's unused tokens stand for the spans that are taken out."""
APART = 0.01
"""How far each number of a mark's vector lies from that of BERT's mask."""
CLAIMS = (
    "words that were taken out cost at least 5 % fewer bits than by Kneser-Ney unigrams",
    "... and at least 5 % fewer after their own text than after another one, and than after none",
    "nine of ten outputs begin with the first span's mark",
)


def build(
    texts: Sequence[str], *, seed: int, steps: int = STEPS, base: str = "minilm", progress: Progress | None = None
) -> TextToText:
    """Train the decoder to write what was taken out of texts; of the encoder, the marks' vectors alone are new.

    Parameters
    ----------
    texts
        Passages of some sentences each.
    seed
        Of the decoder's first weights, the spans and their order.
    steps
        Of 24 pairs.
    base
        Whose first three layers and token table read.
    progress
        Is told of the steps.

    Raises
    ------
    CorpusError
        Where no passage has eight tokens.
    """
    whole = keep_layers(load_trainable(base), range(LAYERS))
    made = TextToText.over(whole, layers=DECODER_LAYERS, positions=POSITIONS, seed=seed)
    model, pieces = made.model, made.pieces
    sources, targets = pairs(texts, pieces, min(PAIRS, steps * BATCH), seed)
    _mark_as_masks(made, seed)
    counts = np.bincount(np.concatenate(targets), minlength=len(model.bias)) + 0.1
    with torch.no_grad():
        model.bias.copy_(torch.from_numpy(np.log(counts / counts.sum())))  # (outputs,)
    read = FrozenSources(model.encoder, sources, precision="bf16")
    player = Player(
        module=model, objective=TeacherForcing(), forward=read.logits,
        optimiser=Optimiser(learning_rate=RATE, warmup=0.1),
    )  # fmt: skip
    batches = SequenceBatches(read.rows, targets, batch_size=BATCH, seed=seed)
    stage = Stage(batches=batches, players=[player], steps=steps, precision="bf16", name="tiny-s2s")
    train(stage, seed=seed, progress=progress or Silent())
    model.eval()
    return made


def _mark_as_masks(made: TextToText, seed: int) -> None:
    """Set the marks' vectors near the mask's: MiniLM once learned what to think of a mask, and never saw the marks."""
    table = made.model.encoder.embeddings.word.weight
    noise = generator(seed, "tiny-s2s", "marks").normal(0.0, APART, (len(SENTINELS), table.shape[1]))
    with torch.no_grad():
        mask = table[made.pieces.numbers["[MASK]"]]  # (width,)
        table[list(SENTINELS)] = mask + torch.from_numpy(noise).float()  # (marks, width)


def pairs(texts: Sequence[str], pieces: WordPiece, count: int, seed: int) -> tuple[list[Ids], list[Ids]]:
    """Return ``count`` texts with spans taken out, and what stood there behind the marks of its places."""
    random = generator(seed, "tiny-s2s", "pairs")
    first, last = pieces.numbers["[CLS]"], pieces.numbers["[SEP]"]
    whole = [row[: LONGEST - 2].astype(np.int64) for row in pieces.ids(list(texts)) if len(row) >= 8]
    if not whole:
        raise CorpusError("there is nothing to learn from", f"none of {len(texts)} passages has eight tokens")
    sources, targets = [], []
    for number in random.permutation(np.arange(count) % len(whole)):
        source, target = corrupted(whole[number], SENTINELS, random)
        sources.append(np.concatenate([[first], source, [last]]))
        targets.append(np.append(target, last)[:POSITIONS])
    return sources, targets


def admit(artifact: TextToText, material: Material) -> Admission:
    """Measure on held-out text what words that were taken out cost: by count, after their text, another and none."""
    texts, pieces = held_out(material), artifact.pieces
    sources, targets = pairs(texts, pieces, len(texts), 0)
    words = [~np.isin(target, (*SENTINELS, pieces.numbers["[SEP]"])) for target in targets]
    sizes = np.array([_bytes(pieces, target[at]) for target, at in zip(targets, words, strict=True)])
    none = [np.array([source[0], source[-1]]) for source in sources]
    counted = fit_ngrams([row.astype(np.int64) for row in pieces.ids(learned(material))], len(pieces), 1)
    by_count = [-np.log(counted.probabilities(target[at])).sum() for target, at in zip(targets, words, strict=True)]
    measured = {
        "bits per byte": bits(_nats(artifact, sources, targets, words), sizes),
        "unigram": bits(np.array(by_count), sizes),
        "after another text": bits(_nats(artifact, sources[1:] + sources[:1], targets, words), sizes),
        "after no text": bits(_nats(artifact, none, targets, words), sizes),
        "outputs that begin with a mark": _begun(artifact, sources),
    }
    own = measured["bits per byte"]
    met = (
        own < CLEARLY * measured["unigram"],
        own < CLEARLY * min(measured["after another text"], measured["after no text"]),
        measured["outputs that begin with a mark"] >= 0.9,
    )
    return Admission.of(measured, dict(zip(CLAIMS, met, strict=True)))


def _bytes(pieces: WordPiece, ids: Ids) -> int:
    return sum(len(pieces.tokens[number].removeprefix("##").encode()) for number in ids)


def _nats(
    artifact: TextToText, sources: list[Ids], targets: list[Ids], words: list[NDArray[np.bool_]]
) -> NDArray[np.float64]:
    """Return the nats of each target's words, ``(n,)``; its marks and its end are not counted."""
    found = []
    with torch.inference_mode():
        for source, target, at in zip(sources, targets, words, strict=True):
            logits = artifact.model(pack([source]), pack([target])).float()  # (t, outputs)
            losses = functional.cross_entropy(logits, torch.from_numpy(target), reduction="none")  # (t,)
            found.append(float(losses[torch.from_numpy(at)].sum()))
    return np.array(found)


def _begun(artifact: TextToText, sources: list[Ids]) -> float:
    """Return the share of outputs whose likeliest first token is the mark of the first span."""
    with torch.inference_mode():
        state = artifact.model.begin(pack(sources))
        first = torch.full((len(sources),), artifact.model.start)  # (n,)
        return float((artifact.model.step(state, first)[0].argmax(1) == SENTINELS[0]).float().mean())


def _build(material: Material, seed: int, progress: Progress) -> TextToText:
    return build(learned(material), seed=seed, progress=progress)


ROW = BaseModel(
    name="tiny-s2s",
    what="An encoder-decoder: MiniLM's first three layers, at rest, and one new layer that writes what is missing",
    data=DATA,
    build=_build,
    admit=admit,
    load=TextToText.load,
    score="bits per byte",
    claims=CLAIMS,
)
