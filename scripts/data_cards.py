"""Writes the data cards: what people wrote at the top stays, sums and golden items are read from the files.

    ISOGLOSS_DATA=folder python scripts/data_cards.py [NAME ...]

Without names all folders of ISOGLOSS_DATA. A folder without a card gets a draft: address, licence and split from its
README.md, and one view of rows; a person then says what kinds of task it serves. Run it again after that.
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

from isogloss.evaluation.datasets.card import parse_card
from isogloss.evaluation.datasets.items import content_sum, golden_items

CARDS = Path(__file__).resolve().parents[1] / "src/isogloss/evaluation/datasets/cards"
MARK = "# files, written by scripts/data_cards.py\n"


def draft(folder: Path) -> str:
    """The top of a new card, from what the folder's README says."""
    text = (folder / "README.md").read_text(encoding="utf-8")
    facts = dict(re.findall(r"^- (Source|Licence|Split|Kind)[^:\n]*: (.*)$", text, re.MULTILINE))
    address, _, taken = facts.get("Source", "").partition(" ")
    first = next(file for file in data_files(folder))
    return "".join(
        [
            f"name = {quoted(folder.name)}\n",
            f"title = {quoted(facts.get('Kind', ''))}\n",
            'languages = ["en"]\n',
            f"source = {quoted(f'https://github.com/{address}')}\n",
            f"taken = {quoted(taken)}\n",
            f"licence = {quoted(facts.get('Licence', 'not stated'))}\n",
            f"split = {quoted(facts.get('Split', ''))}\n",
            "\n[[views]]\n",
            'kind = "rows"\nform = "rows"\nmain = "all"\n',
            f"parts = {{ all = {quoted(first)} }}\n",
        ]
    )


def data_files(folder: Path) -> list[str]:
    """The files of a data set but its README, by path."""
    found = (file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())
    return sorted(name for name in found if name != "README.md")


def quoted(text: str) -> str:
    """A TOML string (JSON's escapes are TOML's)."""
    return json.dumps(text, ensure_ascii=False)


def bottom(top: str, folder: Path) -> str:
    """The files of a card."""
    headless = {
        name
        for view in parse_card(top).views
        if not view.options.get("header", True)
        for part in view.parts.values()
        for name in ([part] if isinstance(part, str) else part)
    }
    lines = []
    for name in data_files(folder):
        rows, golden = golden_items(folder / name, header=name not in headless)
        items = ", ".join(f"[{one.row}, {quoted(one.id)}, {quoted(one.digest)}]" for one in golden)
        lines += [
            "\n[[files]]\n",
            f"path = {quoted(name)}\nrows = {rows}\n",
            f"sha256 = {quoted(content_sum(folder / name))}\ngolden = [{items}]\n",
        ]
    return "".join(lines)


def write(folder: Path) -> bool:
    """Write the card of a folder; returns whether it changed."""
    card = CARDS / f"{folder.name}.toml"
    before = card.read_text(encoding="utf-8") if card.exists() else ""
    top = before.partition(MARK)[0].rstrip("\n") if before else draft(folder).rstrip("\n")
    after = f"{top}\n\n{MARK}{bottom(top, folder)}"
    card.parent.mkdir(exist_ok=True)
    card.write_text(after, encoding="utf-8")
    return before != after


def main(wanted: list[str]) -> int:
    """Write the cards; print which changed."""
    root = Path(os.environ["ISOGLOSS_DATA"])
    folders = [root / name for name in wanted] or sorted(one for one in root.iterdir() if one.is_dir())
    for folder in folders:
        if write(folder):
            print(f"changed: {folder.name}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
