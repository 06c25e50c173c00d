"""Word vectors beside gensim: from a file to the first vector, and look-ups of known and of unknown words.

The script makes a vocabulary of 100,000 words with 50 components and writes it as word2vec's binary file, as GloVe's
text and as a model of fastText (50,000 rows for letter n-grams); it is made once and kept. A round of ``first-...`` is
a process of its own that imports, opens and looks one word up: its rate is one over the seconds to the first vector,
and ``peak_mb`` is the most memory that it held. ``isogloss`` opens the folder that the file was converted to (as it
does from the second time on), ``isogloss-once`` converts first; ``gensim`` reads the file, ``gensim-mapped`` opens what
gensim itself wrote of it, mapped. The other contests look words up, each round others: ``known-single`` and
``known-bulk`` in word2vec's file, ``unknown-single`` and ``unknown-bulk`` by letter n-grams in fastText's. ``report``
has the mean size of the vectors of fixed words, which must be equal. Files lie in the system's cache when opened.

    python benchmarks/runner.py prepare gensim
    python benchmarks/word_vectors.py --out benchmarks/results/word_vectors.json
"""

from __future__ import annotations

import os
import random
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from runner import Contest, Contestant, main
from surroundings import interpreter, rivals_folder

WORDS, SIZE, BUCKETS = 100_000, 50, 50_000
ASKED = {"binary": 15_000, "fasttext": 4_000}
HOME = Path(os.environ.get("ISOGLOSS_BENCH_CACHE") or rivals_folder()) / f"word-vectors-{WORDS}-{SIZE}"
NAMES = {"binary": "words.bin", "text": "words.txt", "fasttext": "model.bin"}
GENSIM = "gensim"

_STORE = "from isogloss.encoders.word_store import WordStore\n"
_KEYED = "from gensim.models import KeyedVectors\n"
_ONCE = "import tempfile\nfrom isogloss.encoders.word_conversion import convert\nhome = tempfile.TemporaryDirectory()\n"
_PLAIN = "binary=kind == 'binary', no_header=kind == 'text'"
OPEN = {
    "isogloss": f"{_STORE}found = WordStore.load(folder).vector(word)",
    "isogloss-once": f"{_STORE}{_ONCE}found = WordStore.load(convert(file, home.name + '/new')).vector(word)",
    "gensim": f"{_KEYED}found = KeyedVectors.load_word2vec_format(file, {_PLAIN})[word]",
    "gensim-mapped": f"{_KEYED}found = KeyedVectors.load(folder + '.gensim', mmap='r')[word]",
}
FASTTEXT = "from gensim.models.fasttext import load_facebook_vectors\nfound = load_facebook_vectors(file)[word]"
SAVE = "from gensim.models import KeyedVectors\nKeyedVectors.load_word2vec_format({0!r}, binary=True).save({1!r})"
SAVE_FASTTEXT = "from gensim.models.fasttext import load_facebook_vectors\nload_facebook_vectors({0!r}).save({1!r})"
PEAK = "\nprint(len(found), next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"


def vocabulary(count: int, seed: int) -> list[str]:
    """Return made-up words of three to twelve letters, each once."""
    draw = random.Random(seed)
    syllables = [a + b for a in "bcdfghklmnprstvz" for b in ("a", "e", "i", "o", "u", "an", "el", "ir", "os", "un")]
    found: dict[str, None] = {}
    while len(found) < count:
        found["".join(draw.choices(syllables, k=draw.randint(2, 5)))[:12]] = None
    return list(found)


def folder_of(kind: str) -> str:
    """Return where the converted file lies."""
    return str(HOME / f"{kind}-isogloss")


def prepare_files() -> None:
    """Write the files and what both sides make of them, where they are not there yet."""
    if not (HOME / "made").is_file():
        _write_files()
        (HOME / "made").touch()
    from isogloss.encoders.word_conversion import convert

    for kind, name in NAMES.items():
        if not Path(folder_of(kind)).exists():
            convert(HOME / name, folder_of(kind))
        theirs = Path(folder_of(kind) + ".gensim")
        if interpreter(GENSIM).exists() and kind != "text" and not theirs.exists():
            code = (SAVE_FASTTEXT if kind == "fasttext" else SAVE).format(str(HOME / name), str(theirs))
            subprocess.run([str(interpreter(GENSIM)), "-c", code], check=True)


def _write_files() -> None:
    import numpy as np

    HOME.mkdir(parents=True, exist_ok=True)
    words = vocabulary(WORDS, 0)
    rows = np.random.default_rng(0).standard_normal((WORDS + BUCKETS, SIZE)).astype("<f4")
    with open(HOME / NAMES["binary"], "wb") as out:
        out.write(f"{WORDS} {SIZE}\n".encode())
        for word, row in zip(words, rows, strict=False):
            out.write(word.encode() + b" " + row.tobytes())
    with open(HOME / NAMES["text"], "w", encoding="utf-8") as out:
        for word, row in zip(words, rows.tolist(), strict=False):
            out.write(f"{word} {' '.join(f'{value:.5f}' for value in row)}\n")
    with open(HOME / NAMES["fasttext"], "wb") as out:
        out.write(struct.pack("<2i", 793712314, 12))
        out.write(struct.pack("<12id", SIZE, 5, 5, 1, 5, 1, 1, 2, BUCKETS, 3, 6, 100, 1e-4))
        out.write(struct.pack("<iiiqq", WORDS, WORDS, 0, 100 * WORDS, -1))
        for number, word in enumerate(words):
            out.write(word.encode() + b"\0" + struct.pack("<qb", 2 * WORDS - number, 0))
        out.write(struct.pack("<?2q", False, WORDS + BUCKETS, SIZE) + rows.tobytes())
        out.write(struct.pack("<?2q", False, 1, SIZE) + bytes(4 * SIZE))  # an output side of one row


# ------------------------------------------------------------------ to the first vector


def opener(name: str) -> Callable[..., Any]:
    """Return the set-up of a contestant whose rounds are processes."""

    def setup(threads: int, kind: str) -> Any:
        code = FASTTEXT if (name, kind) == ("gensim", "fasttext") else OPEN[name]
        head = f"kind, file, folder, word = {(kind, str(HOME / NAMES[kind]), folder_of(kind), vocabulary(5, 0)[3])!r}\n"

        def run() -> dict[str, float]:
            done = subprocess.run(
                [sys.executable, "-c", head + code + PEAK], check=True, capture_output=True, text=True
            )
            size, peak = map(int, done.stdout.split())
            if size != SIZE:
                raise RuntimeError(f"{size} components, {SIZE} are expected")
            return {"items": 1, "peak_mb": peak / 1024}

        return run

    return setup


# ------------------------------------------------------------------ look-ups


def ours(kind: str) -> tuple[Callable[[str], Any], Callable[[list[str]], Any]]:
    """Return our look-ups of one word and of many."""
    from isogloss.encoders.word_store import WordStore

    store = WordStore.load(folder_of(kind))
    return store.vector, lambda words: store.vectors(words, unknown="letters" if kind == "fasttext" else "skip")


def theirs(kind: str) -> tuple[Callable[[str], Any], Callable[[list[str]], Any]]:
    """Return gensim's."""
    from gensim.models import KeyedVectors
    from gensim.models.fasttext import load_facebook_vectors

    path = str(HOME / NAMES[kind])
    found = load_facebook_vectors(path) if kind == "fasttext" else KeyedVectors.load_word2vec_format(path, binary=True)
    return found.__getitem__, found.__getitem__


def looker(side: Callable[..., Any]) -> Callable[..., Any]:
    """Return the set-up of a contestant that looks words up."""

    def setup(threads: int, kind: str, bulk: bool) -> Any:
        import numpy as np

        single, many = side(kind)
        known = vocabulary(WORDS, 0)
        words = known if kind == "binary" else [f"{word}{end}" for word in known for end in ("qu", "wy")]
        random.Random(1).shuffle(words)
        fixed, taken, asked = words[-200:], [0], ASKED[kind]

        def run() -> int:
            start = taken[0] % (len(words) - asked - 200)
            taken[0] += asked
            some = words[start : start + asked]
            if bulk:
                many(some)
            else:
                for word in some:
                    single(word)
            return asked

        def report() -> dict[str, float]:
            return {
                "mean size of 200 words": round(float(np.abs(np.stack([single(word) for word in fixed])).mean()), 6)
            }

        return run, report

    return setup


def _first(kind: str, rounds: int) -> Contest:
    own = ("isogloss", "isogloss-once") if kind == "binary" else ("isogloss",)
    ours_first = [Contestant(name, opener(name), packages=("numpy",)) for name in own]
    others = ("gensim",) if kind == "text" else ("gensim", "gensim-mapped")
    rivals = [Contestant(name, opener(name), rival=GENSIM, packages=("gensim", "numpy")) for name in others]
    return Contest(f"first-{kind}", (*ours_first, *rivals), unit="first vectors", rounds=rounds, options={"kind": kind})


def _look_up(name: str, kind: str, bulk: bool) -> Contest:
    both = (
        Contestant("isogloss", looker(ours), packages=("numpy",)),
        Contestant("gensim", looker(theirs), rival=GENSIM, packages=("gensim", "numpy")),
    )
    return Contest(name, both, unit="words", rounds=5, options={"kind": kind, "bulk": bulk})


if __name__ == "__main__":
    if sys.argv[1:2] != ["--worker"]:
        prepare_files()
    main(
        _first("binary", 1),
        _first("text", 1),
        _first("fasttext", 1),
        _look_up("known-single", "binary", False),
        _look_up("known-bulk", "binary", True),
        _look_up("unknown-single", "fasttext", False),
        _look_up("unknown-bulk", "fasttext", True),
    )
