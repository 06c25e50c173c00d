"""``isogloss recipes`` and ``isogloss check`` on planted recipes: what they print, and their exit codes."""

from __future__ import annotations

import json

import pytest

from isogloss.cli.main import main
from isogloss.recipes import _catalogue, _evidence


@pytest.fixture
def planted(plant_recipe, cache, tmp_path, monkeypatch):
    root = plant_recipe(
        {
            "good-one": "treated = make(0.05)",
            "no-data": "treated = lab.data('base')",
            "wrong": "return 3",
            "no-gain": "treated = make(0.0012)",
        }
    )
    monkeypatch.setattr(_catalogue, "ROOT", root)
    monkeypatch.setattr(_evidence, "RECORDS", tmp_path / "records")
    return tmp_path


def run(capsys, *arguments):
    code = main(list(arguments))
    out, err = capsys.readouterr()
    return code, out, err


def test_recipes_lists_and_filters(planted, capsys):
    code, out, _ = run(capsys, "recipes", "--json")
    answer = json.loads(out)
    assert code == 0
    assert answer["count"] == 4
    row = answer["recipes"][0]
    assert set(row) >= {"slug", "family", "sort", "fidelity", "parts", "verdict", "claim", "needs", "minutes"}
    assert row["verdict"] == "not run"
    assert json.loads(run(capsys, "recipes", "--json", "--family", "none")[1])["count"] == 0
    assert json.loads(run(capsys, "recipes", "--json", "--needs", "words")[1])["count"] == 4
    assert json.loads(run(capsys, "recipes", "--json", "--part", "sample.Sample")[1])["count"] == 4
    assert len(run(capsys, "recipes")[1].splitlines()) == 4


def test_recipes_show(planted, capsys):
    code, out, _ = run(capsys, "recipes", "show", "good-one")
    assert code == 0
    assert "it is better" in out
    assert "not run" in out
    assert json.loads(run(capsys, "recipes", "show", "good-one", "--json")[1])["evidence"] is None
    assert run(capsys, "recipes", "show")[0] == 2
    assert run(capsys, "recipes", "show", "bad-one")[0] == 2


def test_check_says_the_verdict_and_records_it(planted, capsys):
    code, out, err = run(capsys, "check", "good-one", "--record", str(planted / "records"))
    assert code == 0, err
    assert "holds: treated - control" in out
    assert "treated - placebo" in out
    assert json.loads((planted / "records" / "good-one.json").read_text())["verdict"] == "holds"
    assert json.loads(run(capsys, "recipes", "--json")[1])["verdicts"] == {"holds": 1, "not run": 3}


def test_the_exit_code_is_0_whatever_the_verdict_is(planted, capsys):
    for key, word in (("no-gain", "refuted here"), ("no-data", "not run")):
        code, out, _ = run(capsys, "check", key)
        assert code == 0
        assert word in out


def test_the_exit_code_is_3_where_a_check_is_broken(planted, capsys):
    code, out, _ = run(capsys, "check", "wrong")
    assert code == 3
    assert "no evidence" in out
    code, out, _ = run(capsys, "check", "--family", "planted", "--json", "--smoke")
    rows = json.loads(out)["checks"]
    assert code == 3
    assert [bool(row["broken"]) for row in rows] == [False, False, False, True]


def test_sabotage_is_shown(planted, capsys):
    code, out, _ = run(capsys, "check", "good-one", "--sabotage")
    assert code == 0
    assert sum(line.startswith("sabotage ") and ": red" in line for line in out.splitlines()) == 3


def test_other_roles_and_seeds_are_not_kept_as_the_verdict(planted, capsys):
    for options in (["--first-seed", "1000"], ["--seeds", "3"], ["--smoke"], ["--swap", "base=static"]):
        code, _, _ = run(capsys, "check", "good-one", *options)
        assert code == 0
    assert json.loads(run(capsys, "recipes", "--json")[1])["verdicts"] == {"not run": 4}


def test_misuse_is_said(planted, capsys):
    for arguments in (
        ["check"], ["check", "nothing"], ["check", "--family", "none"], ["check", "good-one", "--swap", "sts"],
        ["check", "good-one", "--swap", "speech=x"], ["check", "good-one", "--seeds", "0"],
    ):  # fmt: skip
        code, _, err = run(capsys, *arguments)
        assert code == 2
        assert "error:" in err


def test_rotating_checks_in_full(planted, capsys):
    code, out, _ = run(capsys, "check", "--rotating", "4", "--smoke", "--json")
    assert len(json.loads(out)["checks"]) == 4
    assert code == 3
