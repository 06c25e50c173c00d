"""The text that base models learn from and are tested on, and tokenizers made from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from isogloss.errors import CorpusError
from isogloss.text.sentences import sentences
from isogloss.training.base_models._plan import Material

LEARNED = (("wikitext2", "valid.articles"), ("wiki-passages", None))
"""Plain text of encyclopedias, 4 MB: more than a tiny model reads in half a minute."""
HELD_OUT = ("wikitext2", "test.articles")
DATA = ("wikitext2", "wiki-passages")
SHORTEST = 40
"""Characters of a passage; shorter lines are headings."""
LONGEST = 400
"""Characters of a passage, about 120 tokens of our own."""
TESTED = 100
"""Passages of the held-out text that a model is admitted by."""
VOCABULARY = 2048
"""Of own tokenizers. A tied head over the 30,522 rows of MiniLM's table would take nine tenths of a tiny model's
weights and of its time, most of it for words that a million tokens show too rarely to be learned; over 8,192 rows still
half of both."""
COMMON = 30
"""How often a character must stand in the text to be a token; the others are unknown."""


def passages(texts: Sequence[str]) -> list[str]:
    r"""Return passages of whole sentences, in order: as many sentences as fit :data:`LONGEST` characters.

    A sentence that is longer stands alone; passages shorter than :data:`SHORTEST` are left out.

    Examples
    --------
    >>> passages(["= Heading =\n" + "A line that has more than forty characters in it."])
    ['A line that has more than forty characters in it.']
    """
    found: list[str] = []
    for line in (line.strip() for text in texts for line in text.splitlines()):
        start = end = 0
        for _, stop in sentences(line):
            if stop - start > LONGEST and end > start:
                found.append(line[start:end].strip())
                start = end
            end = stop
        found.append(line[start:].strip())
    return [one for one in found if len(one) >= SHORTEST]


def learned(material: Material) -> list[str]:
    """Return the passages that base models learn from."""
    return [one for name, part in LEARNED for one in passages(material.texts(name, part))]


def held_out(material: Material, most: int = TESTED) -> list[str]:
    """Return passages of articles that no base model learns from: every n-th, so that all articles are there."""
    found = passages(material.texts(*HELD_OUT))
    if not found:
        raise CorpusError("there is no held-out text", f"{HELD_OUT[0]} has no passages in {HELD_OUT[1]}")
    return found[:: max(1, len(found) // most)][:most]


def word_pieces(texts: Sequence[str], size: int = VOCABULARY) -> Any:
    """Return a lower-casing WordPiece tokenizer with BERT's marks, trained on texts."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

    learner, tokenizer = (Tokenizer(models.WordPiece(unk_token="[UNK]")) for _ in range(2))
    for one in (learner, tokenizer):
        one.normalizer = normalizers.BertNormalizer(lowercase=True)
        one.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    marks = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    counts = Counter(char for text in texts for char in learner.normalizer.normalize_str(text) if not char.isspace())
    letters = sorted(char for char, count in counts.items() if count >= COMMON)
    # the trainer breaks ties by numbers, and numbers what it meets in no fixed order: so characters come first
    trainer = trainers.WordPieceTrainer(
        vocab_size=size, special_tokens=[*marks, *(f"##{char}" for char in letters)], initial_alphabet=letters,
        limit_alphabet=len(letters), show_progress=False,
    )  # fmt: skip
    learner.train_from_iterator(texts, trainer)
    pieces = sorted(set(learner.get_vocab()) - set(marks))
    numbers = {piece: number for number, piece in enumerate([*marks, *pieces])}
    tokenizer.model = models.WordPiece(numbers, unk_token="[UNK]")
    tokenizer.decoder = decoders.WordPiece()
    around = [(mark, tokenizer.token_to_id(mark)) for mark in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=around
    )
    return tokenizer


def byte_pairs(texts: Sequence[str], size: int = VOCABULARY) -> Any:
    """Return a byte-level BPE tokenizer: no byte of a text is lost, so bits per byte are those of the text itself."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=["<pad>", "<s>", "</s>"], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer
