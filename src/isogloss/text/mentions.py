"""Mentions of a name in a text, replaced by a pronoun: what remains when a passage no longer says whom it is about."""

from __future__ import annotations

import re


def replace_mentions(text: str, name: str, *, pronoun: str = "it", possessive: str = "its") -> str:
    """Replace each whole-word mention of a name, whatever its case, by a pronoun.

    ``name's`` becomes the possessive; an article in front goes with the name; a pronoun that begins the text or
    follows the end of a sentence is capitalised. A name in brackets behind the name (a disambiguation such as
    ``Mercury (planet)``) is not asked for.

    Parameters
    ----------
    text
        The text.
    name
        The name, one or more words; an empty name changes nothing.
    pronoun, possessive
        What to say instead.

    Examples
    --------
    >>> replace_mentions("The Andes are long. Andes' peaks and the Andes' snow; andesite stays.", "Andes")
    'It are long. Its peaks and its snow; andesite stays.'
    """
    bare = re.sub(r"\s*\([^)]*\)\s*$", "", name).strip()
    if not bare:
        return text
    words = r"\s+".join(re.escape(word) for word in bare.split())
    # "s'" and "'s" both mark a possessive; a trailing apostrophe counts only where the name ends in s
    ending = r"(?P<own>['’]s\b|['’](?!\w))?" if bare[-1].lower() == "s" else r"(?P<own>['’]s\b)?"
    pattern = re.compile(rf"(?<!\w)(?:the\s+)?{words}(?!\w){ending}", re.IGNORECASE)

    def said(match: re.Match[str]) -> str:
        word = possessive if match.group("own") else pronoun
        before = text[: match.start()].rstrip()
        first = not before or before[-1] in ".!?"
        return word[:1].upper() + word[1:] if first else word

    return pattern.sub(said, text)
