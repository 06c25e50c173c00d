"""The child process of the fault tests: one operation on an index, in small commits so that kills fall between them."""

from __future__ import annotations

import sys

import isogloss.collection.adding as adding
import isogloss.collection.compaction as compaction
from isogloss.collection.collection import Collection

adding.BATCH_DOCUMENTS = 15
compaction.FAN = 4


def main() -> None:
    operation, index, *rest = sys.argv[1:]
    if operation == "add":
        if Collection.exists(index):
            collection = Collection.open(index, write=True)
        else:
            collection = Collection.create(index, encoders=["words", "static"])
        with collection:
            collection.add(rest[0], yes=True)
    else:
        with Collection.open(index, write=True) as collection:
            if operation == "remove":
                collection.remove(where="path like 'b%'")
            if operation == "compact":
                collection.compact()


if __name__ == "__main__":
    main()
