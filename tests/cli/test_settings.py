"""Flags > environment > ./isogloss.toml > the user's file; unknown keys are said with a guess."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from isogloss.cli import parser, settings
from isogloss.cli.settings import layer, user_file
from isogloss.errors import UsageError


@pytest.fixture
def parse(place: Path):
    def read(verb: str, *arguments: str):
        said: list[str] = []
        options = settings.parse(verb, parser.load(verb), list(arguments), warn=said.append)
        return options, said

    return read


def write_user_file(text: str) -> None:
    user_file().parent.mkdir(parents=True, exist_ok=True)
    user_file().write_text(text)


def test_the_order_of_the_four_places(parse, place: Path, monkeypatch) -> None:
    assert parse("search", "q")[0].k == 10
    write_user_file("k = 1\nthreads = 3\n")
    assert parse("search", "q")[0].k == 1
    (place / "isogloss.toml").write_text("k = 2\n")
    assert parse("search", "q")[0].k == 2
    monkeypatch.setenv("ISOGLOSS_K", "4")
    assert parse("search", "q")[0].k == 4
    options, said = parse("search", "q", "-k", "5")
    assert (options.k, options.threads, said) == (5, 3, [])


def test_a_verbs_table_wins_over_the_top_of_its_file(parse, place: Path) -> None:
    (place / "isogloss.toml").write_text('index = "a"\n[search]\nindex = "b"\nwith = ["words"]\n[add]\nprefix = "x/"\n')
    assert parse("search", "q")[0].index == "b"
    assert parse("search", "q")[0].encoders == ["words"]
    assert parse("add", "d")[0].index == "a"
    assert parse("add", "d")[0].prefix == "x/"


def test_lists_switches_and_counts(parse, place: Path, monkeypatch) -> None:
    (place / "isogloss.toml").write_text('quiet = true\n[add]\ninclude = "*.md"\n')
    options, said = parse("add", "d")
    assert (options.quiet, options.include, said) == (True, ["*.md"], [])
    monkeypatch.setenv("ISOGLOSS_QUIET", "0")
    monkeypatch.setenv("ISOGLOSS_VERBOSE", "2")
    monkeypatch.setenv("ISOGLOSS_NO_INPUT", "1")
    options, _ = parse("add", "d")
    assert (options.quiet, options.verbose, options.no_input) == (False, 2, True)


def test_unknown_keys_are_warned_about_with_a_guess(parse, place: Path) -> None:
    (place / "isogloss.toml").write_text("thread = 2\n[search]\nwher = 1\n[serch]\nk = 1\n")
    said = parse("search", "q")[1]
    assert "isogloss.toml: unknown key thread; did you mean threads?" in said
    assert "isogloss.toml: unknown key wher; did you mean where?" in said
    assert "isogloss.toml: unknown table [serch]; did you mean [search]?" in said
    assert len(said) == 3


def test_a_key_of_another_verb_at_the_top_is_no_mistake(parse, place: Path) -> None:
    (place / "isogloss.toml").write_text('where = "x = 1"\n')
    assert parse("add", "d")[1] == []


@pytest.mark.parametrize("key", ["yes", "json", "dry-run"])
def test_a_file_cannot_switch_on_what_only_the_user_may(parse, place: Path, key: str) -> None:
    (place / "isogloss.toml").write_text(f"{key} = true\n")
    options, said = parse("add", "d")
    assert getattr(options, key.replace("-", "_")) is False
    assert "not taken from a file" in said[0]


def test_yes_may_come_from_the_environment(parse, monkeypatch) -> None:
    monkeypatch.setenv("ISOGLOSS_YES", "1")
    assert parse("remove", "x")[0].yes is True


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("ISOGLOSS_THREADS", "many", "invalid"),
        ("ISOGLOSS_FUSION", "best", "weighted, rrf"),
        ("ISOGLOSS_QUIET", "maybe", "switch"),
    ],
)
def test_a_wrong_value_names_its_place(parse, monkeypatch, variable: str, value: str, said: str) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(UsageError) as caught:
        parse("search", "q")
    assert variable in caught.value.what
    assert said in caught.value.why


def test_a_broken_file_is_a_usage_error(run, place: Path) -> None:
    (place / "isogloss.toml").write_text("index = \n")
    ran = run("completion", "bash")
    assert ran.code == 2
    assert "isogloss.toml cannot be read" in ran.err


def test_the_users_file_lies_where_xdg_says(monkeypatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "/somewhere")
    assert str(user_file()) == "/somewhere/isogloss/config.toml"
    monkeypatch.delenv("XDG_CONFIG_HOME")
    assert str(user_file()) == os.path.expanduser("~/.config/isogloss/config.toml")


def test_layering_leaves_positional_arguments_alone(place: Path, monkeypatch) -> None:
    monkeypatch.setenv("ISOGLOSS_SOURCE", "elsewhere")
    built = parser.build("add", parser.load("add"))
    layer(built, "add", warn=lambda text: None)
    assert built.parse_args(["here"]).source == ["here"]
