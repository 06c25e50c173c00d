"""Judges of tokenizers: installed in one frozen encoder, so that nothing differs between arms but how texts are cut."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from isogloss.errors import IsoglossError, UsageError
from isogloss.seeding import generator


def is_tokenizer(artifact: Any) -> bool:
    """Say whether an artifact is a ``tokenizers.Tokenizer``, whose ``encode`` gives no vectors.

    Examples
    --------
    >>> is_tokenizer("a text")
    False
    """
    return hasattr(artifact, "token_to_id") and hasattr(artifact, "to_str")


def installed(tokenizer: Any, frozen: Any) -> Any:
    """Return an encoder that averages the vectors of a text's tokens: what the frozen one makes of their letters.

    Tokens that mean something alone get a vector that means something; a text cut into scraps loses its meaning.
    Nothing is trained, so tokenizers of any size are compared on equal terms.

    Parameters
    ----------
    tokenizer
        A ``tokenizers.Tokenizer``.
    frozen
        An encoder of texts with dense vectors.

    Raises
    ------
    UsageError
        Where the tokenizer has no tokens.
    """
    from isogloss.encoders.static import StaticEncoder, TokenVectors
    from isogloss.vocabulary.tokenizer_pieces import TokenizerPieces

    names = {number: token for token, number in tokenizer.get_vocab().items()}
    if not names:
        raise UsageError("an empty tokenizer cannot be judged", "it has no tokens", "train it first")
    letters = [surface(tokenizer, names.get(number, "")) for number in range(max(names) + 1)]
    vectors = np.asarray(frozen.encode([one or " " for one in letters]), np.float32)  # (V, d)
    vectors[[not one for one in letters]] = 0  # marks and numbers without a token say nothing
    pieces = TokenizerPieces(tokenizer.to_str())
    return StaticEncoder(pieces, TokenVectors.quantised(vectors), name="installed tokenizer")


def surface(tokenizer: Any, token: str) -> str:
    """Return the letters of a token without its marks of continuation; nothing for special tokens.

    Examples
    --------
    >>> from tokenizers import Tokenizer, models
    >>> made = Tokenizer(models.WordPiece({"[UNK]": 0, "##ing": 1}, unk_token="[UNK]"))
    >>> surface(made, "##ing"), surface(made, "[UNK]")
    ('ing', '')
    """
    if not token or (token[0] in "[<" and token[-1] in "]>" and len(token) > 2):
        return ""
    if tokenizer.decoder is not None and not token.startswith("##"):
        return str(tokenizer.decoder.decode([token])).strip()
    return token.removeprefix("##").strip()


def scrapped(tokenizer: Any, share: float, seed: int) -> Any:
    """Return a tokenizer that has lost a share of its longer tokens: at 1 it knows single characters alone.

    Raises
    ------
    IsoglossError
        Where its model is none of WordPiece, BPE and WordLevel.
    """
    from tokenizers import Tokenizer

    plan = json.loads(tokenizer.to_str())
    model = plan["model"]
    draw = generator(seed, "scrapped")
    if model.get("merges"):  # BPE: what a lost merge would have made cannot come up again
        longer = draw.random(len(model["merges"])) < share
        made = [one.split(" ") if isinstance(one, str) else one for one in model["merges"]]
        gone = {"".join(pair) for pair, lost in zip(made, longer, strict=True) if lost}
        model["merges"] = [pair for pair in made if not gone & {*pair, "".join(pair)}]
    elif isinstance(model.get("vocab"), dict):
        unknown = model.get("unk_token")
        lost = draw.random(len(model["vocab"])) < share
        kept = [
            token for (token, _), gone in zip(model["vocab"].items(), lost, strict=True)
            if not gone or token == unknown or token.startswith("[") or len(token.removeprefix("##")) == 1
        ]  # fmt: skip
        model["vocab"] = {token: number for number, token in enumerate(kept)}
        plan["added_tokens"], plan["post_processor"] = [], None
    else:
        raise IsoglossError(f"tokens of a {model.get('type')} cannot be taken away")
    return Tokenizer.from_str(json.dumps(plan))
