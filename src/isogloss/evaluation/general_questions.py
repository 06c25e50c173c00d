"""The general probe set of the package: everyday questions, each with one passage that answers it in other words.

Written for this project, so that a model that was adapted to somebody's documents can be asked whether it forgot the
rest of the world. 119 questions are few: they show a loss of about .03 nDCG@10, not one of .005.
"""

from __future__ import annotations

import csv
from importlib.resources import files

from isogloss.corpus.judgements import TestCollection
from isogloss.protocols import Record

NAME = "general probe set"


def general_questions() -> TestCollection:
    """Return the questions, the passages they are searched among, and which one answers which.

    Examples
    --------
    >>> probe = general_questions()
    >>> len(probe.queries), len(probe.documents), probe.queries["q0"]
    (119, 119, 'why does bread get stale faster in the fridge')
    """
    text = files("isogloss.evaluation").joinpath("assets/general-probe.tsv").read_text("utf-8")
    rows = list(csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE))
    documents = [Record(f"d{i}", row["passage"]) for i, row in enumerate(rows)]
    queries = {f"q{i}": row["question"] for i, row in enumerate(rows)}
    return TestCollection(documents, queries, {f"q{i}": {f"d{i}": 1.0} for i in range(len(rows))}, NAME)
