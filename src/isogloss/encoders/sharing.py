"""Several processes that encode one corpus: each loads the model once and writes into the same mapped file.

The first process hands out numbers of blocks and learns of each that is done. A process that dies is noticed by the end
of its pipe; its block goes to a new one, once. When the first process ends, in whatever way, the others see the end of
theirs and leave at once. They belong to a session of their own, so that Ctrl-C reaches the first process alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter, deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import asdict, dataclass
from queue import SimpleQueue
from typing import BinaryIO, TypeAlias

from isogloss import errors
from isogloss.encoders.shared_block import Finished, Order, block_encoder
from isogloss.errors import IsoglossError, UsageError

_START = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from isogloss.encoders.sharing import work; work()"
_POOLS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS", "NUMBA_NUM_THREADS")
_TRIES = 2
_PATIENCE = 3.0  # seconds that a process may take to leave before it is ended


@dataclass(slots=True, eq=False)
class _Hand:
    """A process that encodes, and the block that it is at."""

    process: subprocess.Popen[bytes]
    block: int | None = None

    @property
    def pipes(self) -> tuple[BinaryIO, BinaryIO]:
        return self.process.stdin, self.process.stdout  # type: ignore[return-value]  # both were asked for


_Event: TypeAlias = tuple[_Hand, "dict[str, object] | None"]


def shared_blocks(
    order: Order, numbers: Sequence[int], processes: int, started: Callable[[int], None] | None = None
) -> Generator[Finished]:
    """Encode blocks with several processes and give each as it is done; close the iterator to stop them.

    Parameters
    ----------
    order
        What to encode and how; spool and file of vectors must be there.
    numbers
        The blocks to encode.
    processes
        How many processes share them; one works in this process.
    started
        Is told the id of each process that is started.

    Yields
    ------
    Finished
        Blocks in the order in which they are done.

    Raises
    ------
    UsageError
        Where there are to be no processes.
    IsoglossError
        What a process could not do: its own error, or that one after another died at the same block.
    """
    if processes < 1:
        raise UsageError("there are no processes to encode with", f"processes is {processes}", "give at least 1")
    if processes == 1:
        encode = block_encoder(order)
        yield from map(encode, numbers)
        return
    waiting, events, deaths = deque(numbers), SimpleQueue[_Event](), Counter[int]()
    hands: list[_Hand] = []

    def hire() -> None:
        hands.append(_hire(order, events))
        if started is not None:
            started(hands[-1].process.pid)
        _give(hands[-1], waiting)

    try:
        for _ in range(min(processes, len(waiting))):
            hire()
        left = len(numbers)
        while left:
            hand, said = events.get()
            if said is None:
                hands.remove(hand)
                _bury(hand, waiting, deaths)
                if waiting:
                    hire()
            elif "error" in said:
                raise _their_error(said)
            else:
                left -= 1
                hand.block = None
                _give(hand, waiting)
                yield Finished(**said)  # type: ignore[arg-type]
    finally:
        _dismiss(hands)


def _hire(order: Order, events: SimpleQueue[_Event]) -> _Hand:
    """Start a process and a thread that listens to it."""
    threads = {name: str(order.threads) for name in _POOLS if name not in os.environ}
    command = [sys.executable, "-c", _START, json.dumps(sys.path)]
    pipe = subprocess.PIPE
    hand = _Hand(subprocess.Popen(command, stdin=pipe, stdout=pipe, env=os.environ | threads, start_new_session=True))
    _tell(hand, asdict(order))
    threading.Thread(target=_listen, args=(hand, events), daemon=True).start()
    return hand


def _listen(hand: _Hand, events: SimpleQueue[_Event]) -> None:
    for line in hand.pipes[1]:
        if line.endswith(b"\n"):  # else it was cut off by a kill
            events.put((hand, json.loads(line)))
    events.put((hand, None))


def _tell(hand: _Hand, content: object) -> None:
    with contextlib.suppress(BrokenPipeError):  # whoever listens will say that it is dead
        hand.pipes[0].write(json.dumps(content).encode() + b"\n")
        hand.pipes[0].flush()


def _give(hand: _Hand, waiting: deque[int]) -> None:
    if waiting:
        hand.block = waiting.popleft()
        _tell(hand, hand.block)


def _bury(hand: _Hand, waiting: deque[int], deaths: Counter[int]) -> None:
    """Put the block of a dead process back; give up where it was the second to die at it."""
    code = hand.process.wait()
    _close(hand)
    if hand.block is None:
        return
    deaths[hand.block] += 1
    waiting.appendleft(hand.block)
    if deaths[hand.block] == _TRIES:
        raise IsoglossError(
            "the processes that encode die", f"{_TRIES} died at block {hand.block}, the last {_ending(code)}",
            "use fewer --processes if the memory is used up; run the same command to go on: what is done is kept",
        )  # fmt: skip


def _ending(code: int) -> str:
    """Say how a process ended.

    Examples
    --------
    >>> _ending(-9), _ending(3)
    ('by SIGKILL, as the system does when memory is used up', 'with exit code 3')
    """
    if code >= 0:
        return f"with exit code {code}"
    name = signal.Signals(-code).name
    return f"by {name}" + (", as the system does when memory is used up" if name == "SIGKILL" else "")


def _their_error(said: dict[str, object]) -> IsoglossError:
    kind = getattr(errors, str(said["error"]), IsoglossError)
    made: IsoglossError = kind(str(said["what"]), str(said["why"]), str(said["fix"]))
    return made


def _close(hand: _Hand) -> None:
    for pipe in hand.pipes:
        with contextlib.suppress(OSError):
            pipe.close()


def _dismiss(hands: Sequence[_Hand]) -> None:
    """End every process: the end of its input tells it to leave, and one that does not is killed."""
    for hand in hands:
        with contextlib.suppress(OSError):
            hand.pipes[0].close()
    for hand in hands:
        try:
            hand.process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            hand.process.kill()
            hand.process.wait()
        _close(hand)


def work() -> None:
    """Be one of the processes: read an order and numbers of blocks from standard input, until it ends."""
    import warnings

    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not mix with the answers
    order = Order(**json.loads(sys.stdin.buffer.readline()))
    numbers = SimpleQueue[int]()
    threading.Thread(target=_hear, args=(numbers,), daemon=True).start()
    said: dict[str, object]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the first process has opened the same model, and said it
            encode = block_encoder(order)
            while True:
                _answer(answers, asdict(encode(numbers.get())))
    except IsoglossError as error:
        said = dict(error.to_dict())
    except Exception as error:
        what = f"unexpected error in a process that encodes: {type(error).__name__}: {error}"
        said = {"error": "IsoglossError", "what": what, "why": "", "fix": "run it with --processes 1 --debug"}
    _answer(answers, said)


def _hear(numbers: SimpleQueue[int]) -> None:
    for line in sys.stdin.buffer:
        numbers.put(int(line))
    os._exit(0)  # nobody waits for an answer any more, whatever the other threads are at


def _answer(stream: BinaryIO, content: object) -> None:
    stream.write(json.dumps(content).encode() + b"\n")
    stream.flush()
