"""Snowball stemmers by language code; distinct words are stemmed once and remembered by the caller."""

from __future__ import annotations

import functools
from collections.abc import Callable

from isogloss.errors import MissingExtraError, UsageError

SNOWBALL: dict[str, str] = {
    "ar": "arabic",
    "ca": "catalan",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "english",
    "es": "spanish",
    "eu": "basque",
    "fi": "finnish",
    "fr": "french",
    "ga": "irish",
    "hi": "hindi",
    "hu": "hungarian",
    "hy": "armenian",
    "id": "indonesian",
    "it": "italian",
    "lt": "lithuanian",
    "ne": "nepali",
    "nl": "dutch",
    "no": "norwegian",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sr": "serbian",
    "sv": "swedish",
    "ta": "tamil",
    "tr": "turkish",
    "yi": "yiddish",
}
"""ISO 639-1 codes of the languages that can be stemmed."""

UNSTEMMED = frozenset({"zh", "ja", "ko", "th", "lo", "km", "my", "vi"})
"""Languages whose words do not change by endings: accepted, and left as they are."""


def check_language(language: str | None) -> None:
    """Raise a ``UsageError`` that lists the languages, where there is no rule for ``language``."""
    if language is not None and language not in SNOWBALL and language not in UNSTEMMED:
        raise UsageError(
            f"words of the language {language!r} cannot be stemmed",
            f"the languages are {', '.join(sorted({*SNOWBALL, *UNSTEMMED}))}",
            "take one of them, or leave the language out: then words are matched as they stand",
        )


def stemmer_version(language: str | None) -> str:
    """Return the name and version of what stems this language (part of an encoder's identity), or an empty string."""
    if language not in SNOWBALL:
        return ""
    _, version = _snowball()
    return f"snowball-{'.'.join(version.split('.')[:2])}"


@functools.cache
def stemmer(language: str | None) -> Callable[[list[str]], list[str]] | None:
    """Return the function that stems lower-case words of a language, or None where words stay as they are.

    Porter, "Snowball: a language for stemming algorithms" (2001), https://snowballstem.org. The compiled PyStemmer is
    used; the pure Python package gives the same stems at thirty times the cost.

    Raises
    ------
    UsageError
        The language is not known; the message lists those that are.
    MissingExtraError
        PyStemmer is not installed.

    Examples
    --------
    >>> stemmer("en")(["connections", "connected"]), stemmer(None)
    (['connect', 'connect'], None)
    """
    check_language(language)
    if language not in SNOWBALL:
        return None
    make, _ = _snowball()
    return make(SNOWBALL[language])


def _snowball() -> tuple[Callable[[str], Callable[[list[str]], list[str]]], str]:
    try:
        import Stemmer
    except ImportError as error:
        raise MissingExtraError(
            "words cannot be stemmed", "the package PyStemmer is not installed", "run: pip install PyStemmer"
        ) from error
    return lambda name: Stemmer.Stemmer(name).stemWords, str(Stemmer.version())
