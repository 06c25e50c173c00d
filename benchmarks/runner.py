"""One runner for all benchmarks: contestants in their own processes and environments, run in alternation.

A benchmark file defines contestants and hands them to ``main``::

    from runner import Contest, Contestant, main

    def ours(texts: int = 1000):          # set-up: not timed as work, its seconds are reported apart
        encoder = ...
        return lambda: encode(...)        # one round: returns the number of items done

    CONTESTS = (Contest("encode", (Contestant("ours", ours), Contestant("theirs", theirs, rival="model2vec"))),)

    if __name__ == "__main__":
        main(*CONTESTS)

A set-up gets the contest's options as keywords and returns ``run``, or ``(run, report)``. ``run()`` does one round and
returns the number of items, or a dictionary with ``items`` and further figures (their medians are printed).
``report()`` is called once after the rounds and returns quality figures, so that speed and quality come from one run.
The file is also executed by the rivals' interpreters, so it may import nothing but the standard library at the top.

``python benchmarks/runner.py prepare NAME ...`` makes the environment of a rival from ``benchmarks/rivals/NAME.txt``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import select
import statistics
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import IO, Any

from surroundings import ISA_NOTE, environment, interpreter, known_rivals, machine, prepare, rivals_folder

Run = Callable[[], int | dict[str, float]]
Setup = Callable[..., Run | tuple[Run, Callable[[], dict[str, Any]]]]


@dataclass(frozen=True)
class Contestant:
    """Something that is measured: its set-up, the rival environment it needs (None: this one), packages to report."""

    name: str
    setup: Setup
    rival: str | None = None
    packages: tuple[str, ...] = ()


@dataclass(frozen=True)
class Contest:
    """Contestants that do the same work; ratios are to ``base`` (the first one by default)."""

    name: str
    contestants: tuple[Contestant, ...]
    unit: str = "items"
    rounds: int = 5
    threads: int = 1
    options: Mapping[str, Any] = field(default_factory=dict)
    base: str = ""
    limit_s: float = 3600.0


# ------------------------------------------------------------------ the worker's side


def _memory_mb(peak: bool) -> float:
    try:
        key = "VmHWM:" if peak else "VmRSS:"
        with open("/proc/self/status") as lines:
            return next(round(int(line.split()[1]) / 1024, 1) for line in lines if line.startswith(key))
    except OSError:
        import resource

        return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 1)


def _children_peak_mb() -> float:
    import resource

    unit = 2**20 if sys.platform == "darwin" else 2**10
    return round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / unit, 1)


def _cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _versions(packages: Sequence[str]) -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def _timed(run: Run) -> dict[str, Any]:
    wall, cpu = time.perf_counter(), _cpu_seconds()
    done = run()
    figures = {"wall_s": time.perf_counter() - wall, "cpu_s": _cpu_seconds() - cpu}
    return {**figures, **(done if isinstance(done, dict) else {"items": done})}


def _serve(contestant: Contestant, options: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    wall, cpu = time.perf_counter(), _cpu_seconds()
    made = contestant.setup(**options)
    run, report = made if isinstance(made, tuple) else (made, dict)
    yield {
        "setup_s": round(time.perf_counter() - wall, 3),
        "setup_cpu_s": round(_cpu_seconds() - cpu, 3),
        "rss_after_setup_mb": _memory_mb(peak=False),
        "versions": _versions(contestant.packages),
    }
    for line in sys.stdin:
        if line.strip() == "run":
            yield _timed(run)
        else:
            memory = {"peak_rss_mb": _memory_mb(peak=True), "children_peak_rss_mb": _children_peak_mb()}
            yield {**memory, "report": report()}
            return


def _worker(contests: Sequence[Contest], contest: str, contestant: str, options: str) -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints must not mix with the answers
    try:
        chosen = next(c for one in contests if one.name == contest for c in one.contestants if c.name == contestant)
        for answer in _serve(chosen, json.loads(options)):
            answers.write(json.dumps(answer, default=str) + "\n")
            answers.flush()
    except BaseException as error:
        traceback.print_exc()
        answers.write(json.dumps({"error": f"{type(error).__name__}: {error}"[:500]}) + "\n")
        answers.flush()


# ------------------------------------------------------------------ the parent's side


class Worker:
    """A contestant's process; answers one request at a time."""

    def __init__(self, contest: Contest, contestant: Contestant, script: Path, isa: str) -> None:
        self.limit_s = contest.limit_s
        self.log: IO[str] = tempfile.TemporaryFile("w+")  # noqa: SIM115 - lives as long as the process
        python = interpreter(contestant.rival)
        self.failed = "" if python.exists() else _unprepared(contestant.rival)
        self.process: subprocess.Popen[bytes] | None = None
        if not self.failed:
            options = json.dumps({"threads": contest.threads, **contest.options})
            self.process = subprocess.Popen(
                [str(python), str(script), "--worker", contest.name, contestant.name, options],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self.log,
                env=environment(contest.threads, isa, python),
            )

    def ask(self, request: str = "") -> dict[str, Any]:
        """Send a request (none: wait for the set-up) and return the answer; a failure is remembered."""
        if self.failed or self.process is None:
            return {"error": self.failed}
        answers, requests = self.process.stdout, self.process.stdin
        if answers is None or requests is None:
            raise RuntimeError("the worker has no pipes")
        line = b""
        try:
            if request:
                requests.write(request.encode() + b"\n")
                requests.flush()
            if select.select([answers], [], [], self.limit_s)[0]:
                line = answers.readline()
        except BrokenPipeError:
            pass
        answer: dict[str, Any] = json.loads(line) if line.strip() else {"error": self._died()}
        self.failed = str(answer.get("error", ""))
        return answer

    def _died(self) -> str:
        self.log.seek(0)
        tail = " | ".join(self.log.read().strip().splitlines()[-3:])
        return f"no answer within {self.limit_s:g} s, or the process died: {tail}"[:500]

    def close(self) -> None:
        """End the process."""
        if self.process is not None:
            if self.process.stdin is not None:
                self.process.stdin.close()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            if self.process.stdout is not None:
                self.process.stdout.close()
        self.log.close()


def _unprepared(rival: str | None) -> str:
    return f"the environment {rival} is not prepared; run: python benchmarks/runner.py prepare {rival}"


def run_contest(contest: Contest, script: Path, *, isa: str = "native") -> list[dict[str, Any]]:
    """Run every contestant of one contest in alternation; return one row of figures for each.

    One worker works at a time. After a set-up and one warm-up round each, ``contest.rounds`` rounds follow;
    every second round goes through the contestants backwards.
    """
    workers = {one.name: Worker(contest, one, script, isa) for one in contest.contestants}
    rows: dict[str, dict[str, Any]] = {}
    rounds: dict[str, list[dict[str, Any]]] = {name: [] for name in workers}
    try:
        for name, worker in workers.items():
            rows[name] = {"contest": contest.name, "contestant": name, "isa": isa, "threads": contest.threads}
            rows[name] |= worker.ask()
            worker.ask("run")
        for number in range(contest.rounds):
            for name in list(workers) if number % 2 == 0 else list(workers)[::-1]:
                if not workers[name].failed:
                    rounds[name].append(workers[name].ask("run"))
        for name, worker in workers.items():
            rows[name] |= worker.ask("report")
            if worker.failed:
                rows[name]["error"] = worker.failed
    finally:
        for worker in workers.values():
            worker.close()
    good = {name: found for name, found in rounds.items() if found and "error" not in rows[name]}
    base = good.get(contest.base or contest.contestants[0].name, [])
    for name, found in good.items():
        rows[name] |= _figures(contest.unit, found, base)
    return list(rows.values())


def _figures(unit: str, rounds: list[dict[str, Any]], base: list[dict[str, Any]]) -> dict[str, Any]:
    wall = [r["items"] / r["wall_s"] for r in rounds]
    cpu = [r["items"] / max(r["cpu_s"], 1e-9) for r in rounds]
    row: dict[str, Any] = {
        "unit": unit,
        "rounds": len(rounds),
        "per_s": {"median": _short(statistics.median(wall)), "best": _short(max(wall))},
        "per_cpu_s": {"median": _short(statistics.median(cpu)), "best": _short(max(cpu))},
    }
    extra = [key for key in rounds[0] if key not in ("items", "wall_s", "cpu_s")]
    if extra:
        row["figures"] = {key: _short(statistics.median(r[key] for r in rounds)) for key in extra}
    if base:
        base_wall = [r["items"] / r["wall_s"] for r in base]
        base_cpu = [r["items"] / max(r["cpu_s"], 1e-9) for r in base]
        row["ratio"] = {
            "wall": _short(statistics.median(a / b for a, b in zip(wall, base_wall, strict=True))),
            "cpu": _short(statistics.median(a / b for a, b in zip(cpu, base_cpu, strict=True))),
            "best": _short(max(wall) / max(base_wall)),
        }
    return row


def _short(value: float) -> float:
    return float(f"{value:.4g}")


def _options(pairs: Sequence[str]) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for pair in pairs:
        key, _, value = pair.partition("=")
        try:
            options[key] = json.loads(value)
        except json.JSONDecodeError:
            options[key] = value
    return options


def _arguments(contests: Sequence[Contest]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Run contests in alternation and print one JSON line a contestant.")
    parser.add_argument("--contest", action="append", choices=[c.name for c in contests], help="default: all")
    parser.add_argument("--only", help="contestants, separated by commas (the base is always run)")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--isa", choices=("native", "avx2", "both"), default="native")
    parser.add_argument("--option", action="append", default=[], metavar="KEY=JSON")
    parser.add_argument("--out", type=Path, help="write everything to this JSON file, too")
    return parser.parse_args()


def _narrow(contest: Contest, arguments: argparse.Namespace) -> Contest:
    base = contest.base or contest.contestants[0].name
    names = arguments.only.split(",") if arguments.only else [one.name for one in contest.contestants]
    return Contest(
        contest.name,
        tuple(one for one in contest.contestants if one.name in names or one.name == base),
        contest.unit,
        arguments.rounds or contest.rounds,
        arguments.threads or contest.threads,
        {**contest.options, **_options(arguments.option)},
        base,
        contest.limit_s,
    )


def main(*contests: Contest) -> None:
    """Run the contests that the command line asks for (or, called by the runner, be one contestant)."""
    if sys.argv[1:2] == ["--worker"]:
        return _worker(contests, *sys.argv[2:5])
    arguments = _arguments(contests)
    script = Path(sys.argv[0]).resolve()
    document: dict[str, Any] = {"benchmark": script.stem, "machine": machine(), "isa_note": ISA_NOTE, "results": []}
    for isa in ("native", "avx2") if arguments.isa == "both" else (arguments.isa,):
        for contest in contests:
            if arguments.contest and contest.name not in arguments.contest:
                continue
            for row in run_contest(_narrow(contest, arguments), script, isa=isa):
                print(json.dumps(row), flush=True)
                document["results"].append(row)
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(json.dumps(document, indent=1) + "\n")
    if any("error" in row for row in document["results"]):
        sys.exit(1)
    return None


def _command() -> None:
    parser = argparse.ArgumentParser(description="Make the environments of rivals.")
    parser.add_argument("action", choices=("prepare", "list"))
    parser.add_argument("names", nargs="*", help="rivals; 'all' for every one")
    arguments = parser.parse_args()
    if arguments.action == "list":
        for name in known_rivals():
            print(name, "prepared" if (rivals_folder() / name / "prepared").is_file() else "-")
        return
    for name in known_rivals() if arguments.names == ["all"] else arguments.names:
        print(name, "made" if prepare(name) else "up to date", interpreter(name))


if __name__ == "__main__":
    _command()
