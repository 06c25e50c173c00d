"""Catalogue, closure, records, headline, pages, sampling: what is kept of a check and when it is stale."""

from __future__ import annotations

import math
import subprocess
from pathlib import Path

import pytest

from isogloss.errors import UsageError
from isogloss.recipes import _evidence
from isogloss.recipes._catalogue import Entry, entries, find, modules
from isogloss.recipes._checks import Plan, run_check
from isogloss.recipes._closure import closure, digest
from isogloss.recipes._evidence import read_record, standing, write_record
from isogloss.recipes._exposure import exposure
from isogloss.recipes._headline import headline
from isogloss.recipes._pages import pages
from isogloss.recipes._sampling import rotating, touched
from isogloss.recipes._symbols import PACKAGE

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def checked(plant_recipe, cache, tmp_path):
    """One recipe that holds, its entry, its record on disk, and the folder of records."""
    root = plant_recipe({"good-one": "treated = make(0.05)", "other": "treated = make(0.0012)"})
    entry = find("good-one", root)
    done = run_check(entry, Plan(sabotage=True))
    write_record(tmp_path / "evidence", done.record)
    return root, entry, done.record, tmp_path / "evidence"


def test_recipes_are_found_without_being_imported(plant_recipe):
    root = plant_recipe({"b-one": "treated = 1 / 0", "a-one": "treated = 1 / 0"})
    (root / "planted" / "__init__.py").write_text("")
    (root / "planted" / "a_one.py").write_text((root / "planted" / "a_one.py").read_text() + "\nraise SystemExit\n")
    assert [entry.card.slug for entry in entries(root)] == ["a-one", "b-one"]
    assert find("a-one", root).docstring.startswith("A planted system")
    with pytest.raises(UsageError, match=r"no recipe 'a-on'[\s\S]*did you mean a-one"):
        find("a-on", root)


def test_parts_are_what_is_imported(plant_recipe):
    root = plant_recipe({"one": "treated = make(0.05)"})
    path = root / "planted" / "one.py"
    text = path.read_text().replace("import numpy", "import isogloss.index.exact\nimport numpy")
    path.write_text(text + "\ndef _late() -> None:\n    from isogloss.text.words import words, stop\n")
    assert find("one", root).parts == ["evaluation.sample.Sample", "index.exact", "text.words.stop", "text.words.words"]


def test_every_shipped_card_reads():
    assert len(entries()) == len(modules())


def test_the_closure_follows_imports_of_every_kind(tmp_path):
    path = tmp_path / "recipe.py"
    path.write_text(
        "import isogloss.seeding\nfrom isogloss.transforms import projection\n"
        "def f():\n    from isogloss.recipes._lab import Lab\n    from isogloss.index.fusion import weighted\n"
    )
    names = {str(file.relative_to(PACKAGE)) for file in closure(path) if file != path.resolve()}
    assert {"seeding.py", "transforms/projection.py", "index/fusion.py", "errors.py"} <= names
    assert not any(name.startswith("recipes") for name in names)  # the Lab is a version number
    before = digest(path)
    path.write_text(path.read_text() + "VALUE = 1\n")
    assert digest(path) != before


WRITTEN = '''"""About."""
from isogloss.planted_elsewhere import used
TABLE = {"a": 1}
TABLE["b"] = 2
def reads(x):
    """Say."""
    # why
    return used(x) + TABLE[x]
'''


@pytest.mark.parametrize(
    ("old", "new", "stale"),
    [
        ("Say.", "Say it better.", False),
        ("    # why\n", "\n", False),
        ("TABLE[x]", "TABLE[x] * 2", True),
        ('TABLE["b"] = 2', 'TABLE["b"] = 3', True),
        ("x + 1", "x + 2", True),
        ("_deep = 5", "_deep = 6", True),
        ("return x * 3", "return x * 4", False),
        ("x in [1]", "x in [2]", False),
        ("a text\n    # inside", "a text\n    # within", True),
    ],
)
def test_only_what_is_reached_makes_evidence_stale(tmp_path, monkeypatch, old, new, stale):
    package = tmp_path / "isogloss"
    package.mkdir()
    recipe, elsewhere = package / "recipe.py", package / "planted_elsewhere.py"
    other = (
        "_deep = 5\ndef used(x):\n    says = '''a text\n    # inside'''\n    return says, x + 1 + _deep\n"
        "def never(x):\n    return x * 3\nOTHER = {x: 1 for x in [1]}\n"
    )
    for module in ("_symbols", "_closure"):
        monkeypatch.setattr(f"isogloss.recipes.{module}.PACKAGE", package)

    def written(text: str) -> str:
        return text.replace(old, new)

    recipe.write_text(WRITTEN)
    elsewhere.write_text(other)
    before = digest(recipe)
    assert (written(WRITTEN) + written(other)) != WRITTEN + other
    later = tmp_path / "later" / "isogloss"
    later.mkdir(parents=True)
    for module in ("_symbols", "_closure"):
        monkeypatch.setattr(f"isogloss.recipes.{module}.PACKAGE", later)
    (later / "recipe.py").write_text(written(WRITTEN))
    (later / "planted_elsewhere.py").write_text(written(other))
    assert (digest(later / "recipe.py") != before) is stale


def test_a_record_is_compact_and_names_no_place(checked):
    _, entry, record, folder = checked
    text = (folder / "good-one.json").read_text()
    assert read_record(folder / "good-one.json") == record
    assert str(Path.home()) not in text
    assert "/tmp" not in text
    assert len(text) < 20_000
    assert record["verdict"] == "holds"
    assert len(record["primary"]["scores"]["treated"]) == len(record["seeds"]) == 5
    assert record["hashes"]["code"] == _evidence.code_hash(entry)
    assert record["hashes"]["roles"] == {"base": {"name": "words", "hash": ""}}
    assert {"python", "numpy"} <= set(record["versions"])
    assert {one["swap"] for one in record["sabotage"]} == {"identity", "random", "shuffled", "labels", "constant"}


def test_the_same_check_gives_the_same_record(checked):
    _, entry, record, _ = checked
    again = run_check(entry, Plan(sabotage=True, keep=False)).record
    assert {**again, "minutes": 0} == {**record, "minutes": 0}


def test_changed_code_makes_evidence_stale(checked):
    root, entry, record, folder = checked
    assert standing(entry, folder).verdict == "holds"
    entry.path.write_text(entry.path.read_text().replace("adds a little", "adds a bit"))
    assert standing(find("good-one", root), folder).verdict == "holds"  # words about it change nothing
    entry.path.write_text(entry.path.read_text().replace("def make(", "def make(unused=0, *,", 1))
    changed = standing(find("good-one", root), folder)
    assert changed.verdict == "stale"
    assert changed.record == record
    assert standing(find("other", root), folder).verdict == "not run"


def test_broken_records_are_none(tmp_path):
    (tmp_path / "a.json").write_text("{")
    (tmp_path / "b.json").write_text('{"format": 0}')
    assert [read_record(tmp_path / name) for name in ("a.json", "b.json", "c.json")] == [None, None, None]


def test_numbers_that_are_none_are_null_in_a_record():
    assert _evidence._plain({"a": math.nan, "b": [1 / 3, math.inf]}) == {"a": None, "b": [0.333333, None]}


def test_missing_data_is_not_run_and_a_wrong_check_is_broken(plant_recipe, cache):
    root = plant_recipe(
        {"needs": "treated = lab.data('base')", "wrong": "return 3", "bad": "lab.data('speech')", "bug": "1 / 0"}
    )
    done = {key: run_check(find(key, root)) for key in ("needs", "wrong", "bad", "bug")}
    assert (done["needs"].verdict, done["needs"].broken) == ("not run", "")
    assert "no evidence" in done["wrong"].broken
    assert "speech" in done["bad"].broken
    assert "ZeroDivisionError" in done["bug"].broken
    with pytest.raises(ZeroDivisionError):
        run_check(find("bug", root), Plan(debug=True))
    with pytest.raises(UsageError, match="no role sts"):
        run_check(find("needs", root), Plan(swap={"sts": "x"}))


def test_a_stopped_check_goes_on(plant_recipe, cache):
    root = plant_recipe({"long": "treated = make(0.05)"})
    run_check(find("long", root), Plan(seeds=2))
    kept = sorted((cache / "isogloss" / "evidence" / "long").rglob("*.npz"))
    run_check(find("long", root))
    more = sorted((cache / "isogloss" / "evidence" / "long").rglob("*.npz"))
    assert len(kept) == 8  # three arms and the positive control, two seeds
    assert len(more) == 20
    assert set(kept) <= set(more)


# -- headline ---------------------------------------------------------------------------------------------------------


def fake(root, records, slug, p, verdict="holds", seen=()):
    entry = find(slug, root)
    write_record(
        records,
        {"format": 1, "slug": slug, "verdict": verdict, "p": p, "seen": list(seen),
         "hashes": {"code": _evidence.code_hash(entry)}},
    )  # fmt: skip


def test_the_headline_corrects_over_all_recipes(plant_recipe, cache, tmp_path):
    """By hand: p of .01, .03, .2, .9 become .04, .06, .267, .9: one of two that hold survives."""
    slugs = ["a", "b", "c", "d", "e"]
    root, records = plant_recipe(dict.fromkeys(slugs, "treated = make(0)")), tmp_path / "records"
    for slug, p, verdict in (("a", 0.01, "holds"), ("b", 0.03, "holds"), ("c", 0.2, "inconclusive")):
        fake(root, records, slug, p, verdict)
    fake(root, records, "d", 0.9, "refuted here")
    found = headline(entries(root), lambda entry: standing(entry, records))
    assert [row["p"] for row in found.rows] == [
        pytest.approx(0.04),
        pytest.approx(0.06),
        pytest.approx(0.8 / 3),
        0.9,
        None,
    ]
    assert found.survivors == found.unseen == ["a"]
    assert found.counts == {"holds": 2, "inconclusive": 1, "refuted here": 1, "not run": 1}
    assert "1 hold after correction" in found.sentence()
    assert set(found.rows[0]) >= {"slug", "family", "sort", "fidelity", "parts", "verdict", "claim", "needs", "minutes"}


def test_a_hold_on_seen_data_does_not_count_for_generalisation(plant_recipe, cache, tmp_path):
    root, records = plant_recipe({"a": "treated = make(0)"}), tmp_path / "records"
    fake(root, records, "a", 0.001, seen=["quora-pairs"])
    found = headline(entries(root), lambda entry: standing(entry, records))
    assert (found.survivors, found.unseen) == (["a"], [])
    assert found.rows[0]["seen"]


@pytest.mark.parametrize(
    ("model", "data", "seen"),
    [
        ("minilm", "quora-pairs", True),
        ("minilm", "snli", True),
        ("minilm", "squad-sentence-pairs", True),
        ("minilm", "stackoverflow-titles", True),
        ("minilm", "cranfield", False),
        ("minilm", "sts-b", False),  # the same kind only
        ("static", "quora-pairs", True),  # distilled from MiniLM
        ("minilm-mlm", "quora-pairs", True),
        ("words", "quora-pairs", False),
        ("minilm", "my-own-data", False),
    ],
)
def test_exposure(model, data, seen):
    found = exposure(model, data)
    assert found.seen is seen
    assert found.seen is found.how.startswith(("same data", "same source"))


# -- pages ------------------------------------------------------------------------------------------------------------


def test_committed_pages_are_fresh(cache):
    made = pages(entries())
    folder = REPOSITORY / "docs" / "systems"
    there = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.md")}
    assert sorted(there) == sorted(made), "run: python scripts/system_pages.py"
    assert [name for name in made if there[name] != made[name]] == [], "run: python scripts/system_pages.py"


def test_a_page_shows_card_and_evidence(checked, monkeypatch):
    root, entry, _, folder = checked
    monkeypatch.setattr(_evidence, "RECORDS", folder)
    made = pages(entries(root))
    page = made["good-one.md"]
    assert all(text in page for text in ("it is better", "treated - control", "| random | red |", "+0.0"))
    assert "not run" in made["other.md"]
    assert "[good-one](good-one.md)" in made["index.md"]
    entry.path.write_text(entry.path.read_text() + "\n")
    assert pages([Entry(entry.path, entry.card)])["good-one.md"] == page  # stale, not red


# -- sampling ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def checkout(plant_recipe):
    root = plant_recipe({"a": "treated = make(0)", "b": "treated = make(0)"})

    def git(*arguments):
        identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org"]
        subprocess.run(["git", "-C", str(root), *identity, *arguments], check=True, capture_output=True)

    git("init", "-q")
    git("add", ".")
    git("commit", "-q", "-m", "Begin")
    return root


def test_a_change_touches_the_recipes_that_depend_on_it(checkout):
    assert touched(entries(checkout), "HEAD", checkout) == []
    path = checkout / "planted" / "b.py"
    path.write_text(path.read_text() + "\n")
    assert [entry.card.slug for entry in touched(entries(checkout), "HEAD", checkout)] == ["b"]
    with pytest.raises(UsageError, match="changed since nowhere"):
        touched(entries(checkout), "nowhere", checkout)


def test_all_recipes_come_round(plant_recipe):
    root = plant_recipe({name: "treated = make(0)" for name in "abcde"})
    days = [rotating(entries(root), 2, day) for day in range(5)]
    assert all(len(day) == 2 for day in days)
    assert len({entry.card.slug for day in days[:3] for entry in day}) == 5
    assert len(rotating(entries(root), 9, 0)) == 5
