"""What every command does alike: errors in three lines, exit codes, JSON, help, colour, closed pipes."""

from __future__ import annotations

import errno
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from isogloss.cli import parser
from isogloss.cli.console import Console, open_console
from isogloss.cli.main import main
from isogloss.errors import CheckFailed, IncompatibleIndexError, IsoglossError, IsoglossWarning, UsageError

VERBS = ["adapt", "add", "calibrate", "check", "compact", "compare", "completion", "demo", "distill", "doctor",
         "encode", "engines", "eval", "export", "info", "lab", "learn", "merge", "mine", "pull", "recipes", "remove",
         "reproduce", "search", "show", "stats", "train", "verify"]  # fmt: skip


def fail_with(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    from isogloss.cli.commands import completion

    def run(options, console):
        raise error

    monkeypatch.setattr(completion, "run", run)


def test_the_verbs_are_the_files_of_the_folder() -> None:
    assert parser.verbs() == VERBS


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_has_help_and_the_common_options(run, verb: str) -> None:
    ran = run(verb, "--help")
    assert ran.code == 0
    assert ran.out.startswith(f"usage: isogloss {verb}")
    for option in ("--json", "--jsonl", "--quiet", "--verbose", "--no-input", "--seed", "--threads", "--debug"):
        assert option in ran.out


def test_the_overview_names_every_verb(run) -> None:
    for arguments in ([], ["--help"], ["-h"]):
        ran = run(*arguments)
        assert ran.code == 0
        for verb in VERBS:
            assert f"\n  {verb} " in ran.out


def test_version(run) -> None:
    import isogloss

    assert run("--version").out == f"isogloss {isogloss.__version__}\n"
    assert run("--version", "--json").json == {"schema": "isogloss.version/1", "version": isogloss.__version__}


def test_a_mistyped_verb_is_guessed(run) -> None:
    ran = run("serach", "heat")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.splitlines()[0] == "error: there is no verb 'serach'"
    assert ran.err.splitlines()[2] == "fix:   did you mean: isogloss search"


def test_a_mistyped_option_is_guessed(run) -> None:
    ran = run("search", "heat", "--wher", "x = 1")
    assert ran.code == 2
    assert "did you mean --where?" in ran.err
    assert len(ran.err.splitlines()) == 3


def test_an_unknown_option_without_a_verb(run) -> None:
    assert run("--nonsense").code == 2


def test_common_options_may_stand_before_the_verb(run) -> None:
    before, after = run("--json", "completion", "bash"), run("completion", "bash", "--json")
    assert before.code == after.code == 0
    assert before.json == after.json


def test_an_error_as_json_says_the_same_and_the_code(run, monkeypatch) -> None:
    fail_with(monkeypatch, IncompatibleIndexError("wrong model", "cosine 0.12", "use minilm"))
    ran = run("completion", "bash", "--json")
    assert (ran.code, ran.out) == (4, "")
    assert json.loads(ran.err) == {
        "schema": "isogloss.error/1", "error": "IncompatibleIndexError", "what": "wrong model", "why": "cosine 0.12",
        "fix": "use minilm", "exit": 4,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (IsoglossError("a"), 1),
        (UsageError("a"), 2),
        (CheckFailed("a"), 3),
        (IncompatibleIndexError("a"), 4),
        (MemoryError(), 1),
        (ZeroDivisionError("b"), 1),
        (OSError(errno.ENOSPC, "No space left on device"), 1),
        (KeyboardInterrupt(), 130),
        (BrokenPipeError(), 0),
    ],
)
def test_exit_codes(run, monkeypatch, error: BaseException, code: int) -> None:
    fail_with(monkeypatch, error)
    ran = run("completion", "bash")
    assert ran.code == code
    assert "Traceback" not in ran.err


def test_a_full_disk_is_three_lines_with_a_way_out(run, monkeypatch) -> None:
    fail_with(monkeypatch, OSError(errno.ENOSPC, "No space left on device", "/x/y"))
    lines = run("completion", "bash").err.splitlines()
    assert [line.split(":")[0] for line in lines] == ["error", "why", "fix"]
    assert "/x/y" in lines[1]
    assert "free some disk space" in lines[2]


def test_debug_shows_the_trace(run, monkeypatch) -> None:
    fail_with(monkeypatch, ZeroDivisionError("unexpected"))
    ran = run("completion", "bash", "--debug")
    assert "Traceback" in ran.err
    assert ran.err.splitlines()[-3] == "error: unexpected error: ZeroDivisionError: unexpected"


def test_ctrl_c_says_that_work_is_kept_where_it_is(run, monkeypatch) -> None:
    from isogloss.cli.commands import completion

    fail_with(monkeypatch, KeyboardInterrupt())
    assert run("completion", "bash").err == "\nstopped\n"
    monkeypatch.setattr(completion, "RESUMABLE", True, raising=False)
    assert run("completion", "bash").err == "\nstopped; work so far kept, run the same command to go on\n"


def test_our_warnings_are_one_line_each_and_others_silent(run, monkeypatch) -> None:
    import warnings

    from isogloss.cli.commands import completion

    def warn(options, console):
        for _ in range(3):
            warnings.warn("the cache cannot be written", IsoglossWarning, stacklevel=1)
        warnings.warn("old", DeprecationWarning, stacklevel=1)
        return 0

    monkeypatch.setattr(completion, "run", warn)
    assert run("completion", "bash").err == "warning: the cache cannot be written\n"
    assert "DeprecationWarning: old" in run("completion", "bash", "--debug").err


def test_what_libraries_log_is_shown_only_with_debug(place: Path) -> None:
    (place / "docs").mkdir()
    (place / "docs" / "broken.pdf").write_bytes(b"no PDF at all")
    command = [sys.executable, "-m", "isogloss", "add", "docs", "--dry-run", "--with", "words", "-q"]
    quiet = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert quiet.stderr == ""
    loud = subprocess.run([*command, "--debug"], capture_output=True, text=True, timeout=120, check=False)
    assert "invalid pdf header" in loud.stderr


def test_a_closed_pipe_is_quiet(process, place: Path) -> None:
    shell = f"{sys.executable} -m isogloss completion bash | head -n 1; echo ${{PIPESTATUS[0]}}"
    ran = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=False, timeout=60)
    assert ran.stdout.splitlines()[0].startswith("# isogloss completion")
    assert ran.stderr == ""


@pytest.mark.parametrize("arguments", [["--version"], ["completion", "bash"]])
def test_a_pipe_closed_before_the_first_byte_is_quiet(place: Path, arguments: list[str]) -> None:
    read, write = os.pipe()
    os.close(read)
    ran = subprocess.run(
        [sys.executable, "-m", "isogloss", *arguments], stdout=write, stderr=subprocess.PIPE, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    os.close(write)
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.parametrize(
    ("variables", "coloured"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False), ({"NO_COLOR": ""}, True)],
)
def test_colour_only_where_it_is_wanted(monkeypatch, variables: dict[str, str], coloured: bool) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "stdout", Terminal())
    console = open_console()
    assert console.terminal
    assert (console.style("x", "bold") != "x") == coloured
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert open_console().style("x", "bold") == "x"


def test_json_holds_no_nan_and_no_raw_surrogate(pipe: Console) -> None:
    pipe.form = "json"
    pipe.data("x", {"score": float("nan"), "deep": [{"v": float("inf")}], "name": "caf\udce9"})
    text = pipe.out.getvalue().encode("utf-8", "backslashreplace").decode()
    assert json.loads(text) == {"schema": "isogloss.x/1", "score": None, "deep": [{"v": None}], "name": "caf\udce9"}


def test_json_is_escaped_where_the_stream_is_not_utf8() -> None:
    raw = io.BytesIO()
    console = Console(out=io.TextIOWrapper(raw, encoding="latin-1"), err=io.StringIO(), form="jsonl")
    console.data("x", {"name": "日本 😀"})
    console.flush()
    assert json.loads(raw.getvalue().decode("latin-1"))["name"] == "日本 😀"


def test_tables_are_plain_lines_when_piped(pipe: Console, terminal: Console) -> None:
    for console in (pipe, terminal):
        console.table(["name", "n"], [["a\tb", "1"], ["ccc", "10"]], right=[1])
    assert pipe.out.getvalue() == "a b\t1\nccc\t10\n"
    assert terminal.out.getvalue().splitlines() == ["\x1b[2mname   n\x1b[0m", "a b    1", "ccc   10"]


@pytest.mark.parametrize(
    ("answer", "agreed"), [("y\n", True), ("YES\n", True), ("\n", False), ("", False), ("n\n", False)]
)
def test_a_question_is_answered_by_yes_only(terminal: Console, monkeypatch, answer: str, agreed: bool) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(answer))
    assert terminal.confirm("remove 3 documents", yes=False) is agreed
    assert terminal.err.getvalue() == "remove 3 documents? [y/N] "


def test_where_nobody_can_answer_yes_is_needed(terminal: Console) -> None:
    terminal.may_ask = False
    assert terminal.confirm("remove", yes=True)
    with pytest.raises(UsageError, match="--yes"):
        terminal.confirm("remove", yes=False)


def test_the_program_imports_nothing_heavy_before_it_is_needed() -> None:
    run = "from isogloss.cli.main import main; main(['completion', 'bash'])"
    code = f"import sys; {run}; print(*sys.modules, file=sys.stderr)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"numpy", "scipy", "numba", "onnxruntime", "tokenizers", "sqlite3", "torch", "tqdm", "tomllib", "pyarrow"}
    assert not heavy & set(ran.stderr.split())


def test_main_takes_the_arguments_of_the_process(monkeypatch, capsys, place) -> None:
    monkeypatch.setattr(sys, "argv", ["isogloss", "--version"])
    assert main() == 0
    assert capsys.readouterr().out.startswith("isogloss ")
