"""Skip-gram beside gensim: words a second with the same settings on the same words, and similarity of words.

Both get lists of words (Brown, cut by one rule) and count, number and train: 100 components, window 5, 5 noise words,
words that occur 5 times, thinning at 1e-3, learning rate .025. A round is one pass over the words with a seed of its
own; ``whole`` times counting and training, ``train`` training alone. Options: ``corpora`` (names of data sets: brown,
gutenberg, wikitext2). Two threads: ``--threads 2``.

    python benchmarks/runner.py prepare gensim
    python benchmarks/skipgram.py --out benchmarks/results/skipgram.json
    python benchmarks/skipgram.py --paired 5 > benchmarks/results/skipgram-similarity.json

``--paired SEEDS [THREADS [CORPORA]]`` trains five passes for each seed in processes of their own and compares
Spearman's correlations with the judgements of the word-similarity lists, on the pairs that both know: for each seed by
a paired bootstrap over pairs of words, and over the seeds (at least two) with Student's t.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from runner import Contest, Contestant, main
from surroundings import environment, interpreter, machine

OPTIONS = {"corpora": ["brown"]}
SETTINGS = {"window": 5, "negative": 5, "min_count": 5, "sample": 1e-3}
LISTS = ("men-tr-3k", "ws-353-all", "simlex-999", "mturk-287", "rg-65")
RIVALS = ("gensim", "gensim-own-start")
WORD = re.compile(r"[^\W_]+")
PASSES = 5


def sentences(corpora: list[str]) -> list[list[str]]:
    """Return the corpora as lists of lower-case words, a sentence or paragraph each."""
    data, texts = Path(os.environ["ISOGLOSS_DATA"]), []
    for name in corpora:
        for path in sorted((data / name).iterdir()):
            if name == "brown" and path.name.startswith("documents"):
                with gzip.open(path, "rt", encoding="utf-8") as lines:
                    texts += [" ".join(part) for line in lines for part in json.loads(line)["paragraphs"]]
            elif name != "brown" and path.name.endswith(".txt.gz"):
                with gzip.open(path, "rt", encoding="utf-8") as lines:
                    split = re.split(r"\n\s*\n" if name == "gutenberg" else r"\n", lines.read())
                texts += split
    found = [WORD.findall(text.lower()) for text in texts]
    return [words for words in found if words]


# ------------------------------------------------------------------ the two, from lists of words


def isogloss_trainer(words: list[list[str]], threads: int) -> Callable[[int, int], dict[str, Any]]:
    from isogloss.learners.skip_gram import SkipGram
    from isogloss.learners.vocabulary_counts import count_words

    corpus = count_words(words)

    def train(seed: int, epochs: int) -> dict[str, Any]:
        table = SkipGram(dimensions=100, epochs=epochs).fit(corpus, seed=seed, threads=threads)
        return dict(zip(table.words, table.vectors, strict=True))

    return train


def gensim_trainer(
    words: list[list[str]], threads: int, own_start: bool = False
) -> Callable[[int, int], dict[str, Any]]:
    from gensim.models import Word2Vec

    model = Word2Vec(vector_size=100, sg=1, workers=threads, alpha=0.025, **SETTINGS)
    model.build_vocab(words)

    def train(seed: int, epochs: int) -> dict[str, Any]:
        import numpy as np

        start = np.random.default_rng(seed).random(model.wv.vectors.shape, np.float32) - np.float32(0.5)
        # vectors start between -1/2d and 1/2d, as in the authors' program and ours; by itself gensim takes twice that
        model.wv.vectors[:] = start / np.float32(50 if own_start else 100)
        model.syn1neg[:] = 0
        model.random = np.random.RandomState(seed)
        model.train(words, total_words=model.corpus_total_words, epochs=epochs)
        return {word: model.wv[word] for word in model.wv.index_to_key}

    return train


Trainer = Callable[[list[list[str]], int], Callable[[int, int], dict[str, Any]]]
TRAINERS: dict[str, Trainer] = {
    "isogloss": isogloss_trainer,
    "gensim": gensim_trainer,
    "gensim-own-start": partial(gensim_trainer, own_start=True),
}


def timed(name: str, *, counting: bool) -> Callable[..., Any]:
    def setup(threads: int, corpora: list[str]) -> Any:
        words = sentences(corpora)
        total, done, made = sum(map(len, words)), [0], [TRAINERS[name](words, threads)]

        def run() -> int:
            if counting:
                made[0] = TRAINERS[name](words, threads)
            done[0] += 1
            made[0](done[0], 1)
            return total

        return run, lambda: {"words": total, "sentences": len(words)}

    return setup


def _contest(name: str, counting: bool) -> Contest:
    return Contest(
        name,
        (
            Contestant("isogloss", timed("isogloss", counting=counting), packages=("numba", "numpy")),
            Contestant("gensim", timed("gensim", counting=counting), rival="gensim", packages=("gensim", "numpy")),
        ),
        unit="words",
        rounds=5,
        options=OPTIONS,
        base="gensim",
    )


CONTESTS = (_contest("train", counting=False), _contest("whole", counting=True))


# ------------------------------------------------------------------ similarity of words


def similarity_worker(name: str, seeds: list[int], corpora: list[str], threads: int, out: str) -> None:
    """Train for each seed and keep the cosine of every pair of every list, nan where a word has no vector."""
    import numpy as np

    train, pairs = TRAINERS[name](sentences(corpora), threads), word_pairs()
    kept = {}
    for seed in seeds:
        table = train(seed, PASSES)
        for part, rows in pairs.items():
            found = []
            for left, right, _ in rows:
                if left in table and right in table:
                    a, b = table[left], table[right]
                    found.append(float(a @ b / np.sqrt((a @ a) * (b @ b))))
                else:
                    found.append(float("nan"))
            kept[f"{part}:{seed}"] = np.array(found)
    np.savez(out, **kept)


def word_pairs() -> dict[str, list[tuple[str, str, float]]]:
    folder = Path(os.environ["ISOGLOSS_DATA"]) / "word-similarity"
    found = {}
    for part in LISTS:
        rows = [line.split("\t") for line in (folder / f"{part}.tsv").read_text("utf-8").splitlines() if line.strip()]
        found[part] = [(a.lower(), b.lower(), float(score)) for a, b, score in rows]
    return found


def paired(count: int, corpora: list[str], threads: int, folder: Path) -> dict[str, Any]:
    """Run both in their own processes, and compare by isogloss.evaluation: intervals over pairs of words and seeds."""
    import numpy as np

    from isogloss.evaluation.metrics.correlation import correlations
    from isogloss.evaluation.statistics.comparison import compare

    folder.mkdir(parents=True, exist_ok=True)
    cosines = {}
    for name in TRAINERS:
        python = interpreter(None if name == "isogloss" else "gensim")
        out = folder / f"{name}-{threads}.npz"
        order = [str(python), str(Path(__file__).resolve()), "--similarity", name, str(count), str(threads), str(out)]
        subprocess.run([*order, ",".join(corpora)], check=True, env=environment(threads, "native", python))
        cosines[name] = dict(np.load(out))
    rows = []
    for part, pairs in word_pairs().items():
        scores = np.array([score for _, _, score in pairs])
        for seed in range(count):
            both = {name: found[f"{part}:{seed}"] for name, found in cosines.items()}
            known = ~np.isnan(np.stack(list(both.values()))).any(0)
            samples = {name: correlations(found[known], scores[known])["spearman"] for name, found in both.items()}
            row: dict[str, Any] = {"list": part, "seed": seed, "pairs": int(known.sum())}
            row |= {name: round(sample.value(), 4) for name, sample in samples.items()}
            for rival in RIVALS:
                pair = {name: samples[name] for name in ("isogloss", rival)}
                gap = compare(pair, seed=seed, draws=2000).differences[0]
                sign = 1 if gap.system == "isogloss" else -1
                bounds = sorted((sign * gap.interval.low, sign * gap.interval.high))
                row[f"minus {rival}"] = [round(x, 4) for x in (sign * gap.value, *bounds)]
            rows.append(row)
    about = {"threads": threads, "seeds": count, "passes": PASSES, "corpora": corpora}
    return {**about, "lists": _over_seeds(rows), "rows": rows}


def _over_seeds(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return for each list the mean difference over seeds with its interval by Student's t over the paired seeds."""
    import numpy as np
    from scipy.stats import t

    found: dict[str, Any] = {}
    for part in LISTS:
        own = [row for row in rows if row["list"] == part]
        found[part] = {name: round(float(np.mean([row[name] for row in own])), 4) for name in TRAINERS}
        for rival in RIVALS:
            gaps = np.array([row[f"minus {rival}"][0] for row in own])
            half = float(t.ppf(0.975, len(gaps) - 1) * gaps.std(ddof=1) / np.sqrt(len(gaps)))
            values = (gaps.mean(), gaps.mean() - half, gaps.mean() + half)
            found[part][f"minus {rival}"] = [round(float(x), 4) for x in values]
    return found


def command() -> None:
    if sys.argv[1:2] == ["--similarity"]:
        name, number, workers, out, names = sys.argv[2:7]
        return similarity_worker(name, list(range(int(number))), names.split(","), int(workers), out)
    if sys.argv[1:2] == ["--paired"]:
        count, threads = int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 1
        corpora = sys.argv[4].split(",") if len(sys.argv) > 4 else OPTIONS["corpora"]
        folder = Path(os.environ.get("ISOGLOSS_BENCH_CACHE", Path(__file__).parent / ".rivals" / "skipgram"))
        print(json.dumps({"machine": machine(), **paired(count, corpora, threads, folder)}, indent=1))
        return None
    return main(*CONTESTS)


if __name__ == "__main__":
    command()
