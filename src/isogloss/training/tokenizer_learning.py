"""Tokenizers trained on plain text: word pieces with BERT's marks, and byte pairs that lose nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

COMMON = 30
"""How often a character must stand in the text to be a token; the others are unknown."""


def word_pieces(texts: Sequence[str], size: int = 2048) -> Any:
    """Return a lower-casing WordPiece tokenizer with BERT's marks, trained on texts; the same one at every run.

    Wu et al. 2016, "Google's Neural Machine Translation System" (https://arxiv.org/abs/1609.08144), section 4.1.

    Parameters
    ----------
    texts
        To count words in.
    size
        Tokens, marks and letters included.

    Returns
    -------
    tokenizers.Tokenizer
        With ``[CLS]`` and ``[SEP]`` around each text.

    Examples
    --------
    >>> word_pieces(["The hen and the den."] * 30, 40).encode("The hen").tokens
    ['[CLS]', 'the', 'hen', '[SEP]']
    """
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


def byte_pairs(texts: Sequence[str], size: int = 2048) -> Any:
    """Return a byte-level BPE tokenizer: no byte of a text is lost, so bits per byte are those of the text itself.

    Sennrich et al. 2016, "Neural Machine Translation of Rare Words with Subword Units"
    (https://arxiv.org/abs/1508.07909), over bytes.

    Parameters
    ----------
    texts
        To count pairs in.
    size
        Tokens; the 256 bytes and the marks ``<pad>``, ``<s>`` and ``</s>`` included.

    Returns
    -------
    tokenizers.Tokenizer
        Without marks around a text.

    Examples
    --------
    >>> pairs = byte_pairs(["low lower lowest"] * 3, 270)
    >>> pairs.decode(pairs.encode("a lower vowel").ids)
    'a lower vowel'
    """
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
