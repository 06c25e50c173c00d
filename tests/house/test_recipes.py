"""The recipe contract, file by file: three public names, a literal card, no machinery (copies: test_repetition)."""

from __future__ import annotations

import ast
import re

import pytest

from isogloss.errors import UsageError
from isogloss.recipes._catalogue import module_name, modules, read_card

LONGEST = 120
NAMES = {"CARD", "make", "check"}
WIRING = ("_lab", "_card", "_run", "_worlds")
"""Files of the Lab that a recipe may import; everything else under ``recipes`` is another recipe or the Lab's own."""


FORBIDDEN_CALLS = (
    "open", "read_text", "read_bytes", "write_text", "write_bytes", "loadtxt", "genfromtxt", "savez", "urlopen",
    "backward", "zero_grad", "setattr",
)  # fmt: skip
"""Files, gradients and changed modules are a part's business."""
MACHINES = ("isogloss.training.loop", "isogloss.training.moving")
"""The training loop: a recipe names a part that runs it."""


class Recipe:
    """One recipe file: path, text, tree."""

    def __init__(self, path):
        self.path, self.text = path, path.read_text(encoding="utf-8")
        self.tree = ast.parse(self.text)
        self.nodes = list(ast.walk(self.tree))

    @property
    def imports(self):
        for node in self.nodes:
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                source = "." * node.level + (node.module or "")
                yield from (f"{source}.{alias.name}" for alias in node.names)


def names_of(statement):
    """The names that a top-level statement binds."""
    if isinstance(statement, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
        return [statement.name]
    targets = getattr(statement, "targets", [getattr(statement, "target", None)])
    return [node.id for target in targets if target for node in ast.walk(target) if isinstance(node, ast.Name)]


def public_names(recipe):
    found = [name for one in recipe.tree.body for name in names_of(one) if not name.startswith("_")]
    return [] if sorted(found) == sorted(NAMES) else [f"public names are {', '.join(sorted(found))}"]


def card(recipe):
    try:
        read_card(recipe.path)
    except UsageError as error:
        return [f"{error.what}: {error.why}"]
    return []


def place(recipe):
    try:
        found = read_card(recipe.path)
    except UsageError:
        return []  # the rule above says so
    here = recipe.path.stem, recipe.path.parent.name
    there = module_name(found.slug), found.family.replace("-", "_")
    return [] if here == there else [f"{here[1]}/{here[0]} should be {there[1]}/{there[0]}"]


def docstring(recipe):
    text = ast.get_docstring(recipe.tree) or ""
    first = text.strip().split("\n\n")[0]
    if not re.search(r"\([^()]*\b(19|20)\d\d\)", first):
        return ["the docstring does not begin with title (authors, year)"]
    return []


def machinery(recipe):
    """No class, no training loop, no file opened by hand."""
    found = [f"class {node.name}" for node in recipe.nodes if isinstance(node, ast.ClassDef)]
    for node in recipe.nodes:
        called = node.func if isinstance(node, ast.Call) else None
        name = getattr(called, "id", getattr(called, "attr", ""))
        if name in FORBIDDEN_CALLS:
            found.append(f"{name}( in line {node.lineno}")
        if isinstance(node, ast.While):
            found.append(f"while in line {node.lineno}")
        if isinstance(node, ast.For | ast.AsyncFor) and _over_batches(node):
            found.append(f"a loop over batches in line {node.lineno}")
    return found


def _over_batches(loop):
    return bool(re.search(r"batch|epoch|step", ast.unparse(loop.target) + ast.unparse(loop.iter)))


def imports(recipe):
    found = [name for name in recipe.imports if name.split(".")[0] in ("torch", "transformers", "sklearn")]
    found += [name for name in recipe.imports if name.startswith(MACHINES)]
    for name in recipe.imports:
        inside = name.startswith((".", "isogloss.recipes"))
        if inside and not any(f".{wiring}." in f".{name}." for wiring in WIRING):
            found.append(name)
    return [f"imports {name}" for name in found]


def length(recipe):
    lines = len(recipe.text.splitlines())
    return [f"{lines} lines, {LONGEST} are allowed"] if lines > LONGEST else []


RULES = [public_names, card, place, docstring, machinery, imports, length]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_recipes_keep_the_contract(rule):
    found = [f"{path.parent.name}/{path.name}: {fault}" for path in modules() for fault in rule(Recipe(path))]
    assert "\n".join(found) == ""


def test_no_two_recipes_share_a_slug_or_a_number():
    cards = [read_card(path) for path in modules()]
    assert len({card.slug for card in cards}) == len({card.seed for card in cards}) == len(cards)


GOOD = '''"""A good system (Doe et al., 2020). It adds one to everything."""
from isogloss.recipes._card import Card
from isogloss.recipes._lab import Lab

CARD = Card(
    slug="good-one", seed=1, title="Good", year=2020, url="https://example.org", family="a-family", sort="method",
    claim="it is better", regime="everywhere", baseline="nothing", placebo="noise", fidelity="same kind",
    needs={"sts": "sts-b"}, margin=0.01, minutes=1,
)
_HIDDEN = 1


def make(x: int) -> int:
    return x + 1


def check(lab: Lab) -> object:
    return lab.evidence(None)
'''


def planted(tmp_path, text, place="a_family/good_one.py"):
    path = tmp_path / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return Recipe(path)


def test_a_good_recipe_passes(tmp_path):
    recipe = planted(tmp_path, GOOD)
    assert [fault for rule in RULES for fault in rule(recipe)] == []


def test_a_slug_with_a_leading_digit_has_a_name(tmp_path):
    recipe = planted(tmp_path, GOOD.replace("good-one", "3d-one"), "a_family/x3d_one.py")
    assert place(recipe) == []


@pytest.mark.parametrize(
    ("rule", "old", "new"),
    [
        (public_names, "_HIDDEN", "SHOWN"),
        (public_names, "def make", "def build"),
        (public_names, "_HIDDEN = 1", "def other() -> None:\n    pass"),
        (card, "year=2020, ", ""),
        (card, "margin=0.01", "margin=0.02 / 2"),
        (card, "margin=0.01", "margin=0"),
        (card, 'sort="method"', 'sort="trick"'),
        (card, 'fidelity="same kind"', 'fidelity="near"'),
        (card, 'claim="it is better"', 'claim=""'),
        (card, "minutes=1", "minutes=1, colour=2"),
        (card, 'needs={"sts": "sts-b"}', 'needs={"sts": 3}'),
        (card, "CARD = Card(", "CARD = dict("),
        (card, "CARD = ", "OTHER = "),
        (place, "good-one", "good-two"),
        (place, "a-family", "b-family"),
        (docstring, "(Doe et al., 2020)", ""),
        (docstring, '"""A good', '"""It adds.\n\nA good'),
        (machinery, "return x + 1", "[x.write_bytes(b'') for x in 'a']"),
        (machinery, "_HIDDEN = 1", "class Trick:\n    pass"),
        (machinery, "return x + 1", "return open('x')"),
        (machinery, "return x + 1", "for batch in range(3):\n        pass"),
        (machinery, "return x + 1", "loss.backward()"),
        (machinery, "return x + 1", "while x:\n        x -= 1"),
        (machinery, "return x + 1", "setattr(x, 'a', 1)"),
        (imports, "_HIDDEN = 1", "from isogloss.training.loop import train as _train"),
        (imports, "_HIDDEN = 1", "import torch"),
        (imports, "_HIDDEN = 1", "def _f() -> None:\n    from torch import nn"),
        (imports, "_HIDDEN = 1", "from isogloss.recipes.a_family.other import make as _make"),
        (imports, "_HIDDEN = 1", "from .other import make as _make"),
        (imports, "_HIDDEN = 1", "from isogloss.recipes._bench import Bench as _Bench"),
        (length, "_HIDDEN = 1", "_HIDDEN = 1\n" * 130),
    ],
)
def test_a_planted_fault_is_found(tmp_path, rule, old, new):
    assert old in GOOD
    faults = rule(planted(tmp_path, GOOD.replace(old, new, 1)))
    assert len(faults) >= 1


def test_the_example_of_the_documentation_keeps_the_contract(tmp_path, root):
    page = (root / "docs" / "lab.md").read_text(encoding="utf-8")
    text = re.search(r"```python\n(.*?)```", page, re.DOTALL).group(1)
    recipe = planted(tmp_path, text, "space_analysis/common_shift.py")
    assert [fault for rule in RULES for fault in rule(recipe)] == []
