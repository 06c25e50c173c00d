"""The catalogue of recipes: found by listing folders, cards read with ``ast``; no recipe and no torch is imported."""

from __future__ import annotations

import ast
from dataclasses import MISSING, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

from isogloss.errors import UsageError
from isogloss.recipes._card import Card, Fidelity, Sort

ROOT = Path(__file__).resolve().parent
GROUND = ("isogloss.arrays", "isogloss.errors", "isogloss.protocols", "isogloss.seeding", "isogloss.recipes")
"""What is imported for shape and wiring, and is no part."""


@dataclass(frozen=True)
class Entry:
    """One recipe as its file shows it.

    Attributes
    ----------
    path
        The module's file.
    card
        Its card.
    """

    path: Path
    card: Card

    @cached_property
    def tree(self) -> ast.Module:
        """Return the parsed module."""
        return ast.parse(self.path.read_text(encoding="utf-8"))

    @property
    def docstring(self) -> str:
        """Return what the module says about itself."""
        return ast.get_docstring(self.tree) or ""

    @cached_property
    def parts(self) -> list[str]:
        """Return the parts that the recipe is made of: what it imports from the package, without the ground."""
        found = []
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("isogloss."):
                if not str(node.module).startswith(GROUND):
                    found += [f"{str(node.module).removeprefix('isogloss.')}.{alias.name}" for alias in node.names]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names if alias.name.startswith("isogloss.")]
                found += [name.removeprefix("isogloss.") for name in names if not name.startswith(GROUND)]
        return sorted(set(found))

    def to_dict(self) -> dict[str, Any]:
        """Return what ``isogloss recipes --json`` shows, the verdict apart."""
        names = ("slug", "family", "sort", "fidelity", "claim", "minutes")
        card = {name: getattr(self.card, name) for name in names}
        return {**card, "parts": self.parts, "needs": dict(self.card.needs)}


def entries(root: Path | None = None) -> list[Entry]:
    """Return all recipes below ``root`` (the package's own by default), by family and slug.

    Raises
    ------
    UsageError
        Where a card is no literal or not complete; the message names file and field.

    Examples
    --------
    >>> all(entry.card.slug for entry in entries())
    True
    """
    return [Entry(path, read_card(path)) for path in modules(root)]


def modules(root: Path | None = None) -> list[Path]:
    """Return the files of all recipes: ``FAMILY/MODULE.py``, names with a leading ``_`` apart."""
    found = (root or ROOT).glob("*/*.py")
    return sorted(path for path in found if not path.name.startswith("_") and not path.parent.name.startswith("_"))


def find(key: str, root: Path | None = None) -> Entry:
    """Return the recipe of a slug.

    Raises
    ------
    UsageError
        Where there is none; the message names the nearest.
    """
    known = {entry.card.slug: entry for entry in entries(root)}
    if key not in known:
        from difflib import get_close_matches

        near = get_close_matches(key, known, n=3)
        fix = f"did you mean {', '.join(near)}?" if near else "list them with: isogloss recipes"
        raise UsageError(f"there is no recipe {key!r}", f"{len(known)} recipes are known", fix)
    return known[key]


def module_name(slug: str) -> str:
    """Return the module's name of a slug: ``_`` for ``-``, ``x`` before a digit.

    Examples
    --------
    >>> module_name("late-chunking"), module_name("3d-moe")
    ('late_chunking', 'x3d_moe')
    """
    name = slug.replace("-", "_")
    return f"x{name}" if name[:1].isdigit() else name


def read_card(path: Path) -> Card:
    """Read the card of a module without importing it.

    Raises
    ------
    UsageError
        Where there is no ``CARD = Card(...)``, a field is no literal, missing, unknown or empty.
    """
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except SyntaxError as error:
        raise UsageError(f"{path.name} cannot be parsed", f"line {error.lineno}: {error.msg}") from error
    call = _card_call(tree)
    if call is None:
        raise UsageError(f"{path.name} has no card", "there is no CARD = Card(...) at its top", "see docs/lab.md")
    values: dict[str, Any] = {}
    for keyword in call.keywords:
        try:
            values[str(keyword.arg)] = ast.literal_eval(keyword.value)
        except ValueError as error:
            why = f"line {keyword.value.lineno}: {keyword.arg} is computed"
            raise UsageError(f"the card of {path.name} is not a literal", why, "write the value itself") from error
    faults = card_faults(values, positional=len(call.args))
    if faults:
        raise UsageError(f"the card of {path.name} is not complete", "; ".join(faults), "see docs/lab.md")
    return Card(**values)


def _card_call(tree: ast.Module) -> ast.Call | None:
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            named = any(isinstance(target, ast.Name) and target.id == "CARD" for target in targets)
            if named and isinstance(node.value, ast.Call) and ast.unparse(node.value.func) == "Card":
                return node.value
    return None


def card_faults(values: dict[str, Any], positional: int = 0) -> list[str]:
    """Return what is wrong with the fields of a card, in words.

    Examples
    --------
    >>> card_faults({"slug": "a"})[0]
    'baseline is missing'
    """
    known = {one.name: one for one in fields(Card)}
    needed = sorted(name for name, one in known.items() if one.default is MISSING and one.default_factory is MISSING)
    found = ["fields stand without their names"] if positional else []
    found += [f"{name} is missing" for name in needed if name not in values]
    found += [f"{name} is no field" for name in values if name not in known]
    found += [
        f"{name} is empty" for name in known if values.get(name) == "" or (name == "needs" and values.get(name) == {})
    ]
    for name, choice in (("sort", get_args(Sort)), ("fidelity", get_args(Fidelity))):
        if name in values and values[name] not in choice:
            found.append(f"{name} is {values[name]!r}, not one of {', '.join(choice)}")
    found += [f"{name} is {values[name]!r}" for name in _wrong_types(values)]
    return found


def _wrong_types(values: dict[str, Any]) -> list[str]:
    texts = ("slug", "title", "url", "family", "claim", "regime", "baseline", "placebo")
    wrong = [name for name in texts if name in values and not isinstance(values[name], str)]
    whole = [name for name in ("seed", "year") if name in values and not _is_number(values[name], int)]
    sizes = [name for name in ("margin", "minutes") if name in values and not _is_number(values[name], int, float)]
    sizes += [name for name in ("margin", "minutes") if name not in sizes and name in values and values[name] <= 0]
    needs = values.get("needs", {})
    roles = not isinstance(needs, dict) or not all(isinstance(one, str) for pair in needs.items() for one in pair)
    lists = "deviations" in values and not isinstance(values["deviations"], tuple)
    return [*wrong, *whole, *sizes, *(["needs"] if roles else []), *(["deviations"] if lists else [])]


def _is_number(value: Any, *kinds: type) -> bool:
    return isinstance(value, kinds) and not isinstance(value, bool)
