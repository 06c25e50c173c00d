"""Write docs/systems/ from the recipes' cards, docstrings and evidence; a test says when it is out of date."""

from __future__ import annotations

from pathlib import Path

from isogloss.recipes._catalogue import entries
from isogloss.recipes._pages import pages

FOLDER = Path(__file__).parents[1] / "docs" / "systems"

if __name__ == "__main__":
    made = pages(entries())
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.md"):
        if old.name not in made:
            old.unlink()
    for name, text in made.items():
        FOLDER.joinpath(name).write_text(text, encoding="utf-8")
