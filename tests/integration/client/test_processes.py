"""The synchronous client in processes that fork and end, as web servers do."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import gesso
from integration.client.peer import Peer


@pytest.fixture
def peer() -> Iterator[Peer]:
    """Return a peer that listens."""
    started = Peer().start()
    yield started
    started.stop()


PRELUDE = """
    import os, sys, time, threading
    import gesso
    app = gesso.App("tests", sys.argv[1], submit_timeout=10)

    @app.task
    def echo(x): return x

    def in_child(function):
        pid = os.fork()
        if pid == 0:
            try:
                function()
                os._exit(0)
            except BaseException:
                import traceback; traceback.print_exc()
                os._exit(1)
        return pid

    def check(pid):
        _, status = os.waitpid(pid, 0)
        assert status == 0, status
"""


def run_client(peer: Peer, script: str, seconds: float = 60) -> str:
    """Run a script in a process of its own, and return what it printed."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GRPC_")}
    environment["PYTHONPATH"] = str(Path(gesso.__file__).parents[1])
    source = textwrap.dedent(PRELUDE) + textwrap.dedent(script)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", source, peer.address],
        env=environment,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_fork_before_first_use(peer: Peer) -> None:
    """A server that loads the app and then forks its workers."""
    peer.echo = True

    run_client(
        peer,
        """
        children = [in_child(lambda i=i: [echo.delay(i).get(timeout=10) for _ in range(20)]) for i in range(4)]
        for pid in children: check(pid)
        assert echo.delay(5).get(timeout=10) == 5
        """,
    )

    assert len(peer.streams) == 5


def test_fork_after_first_use(peer: Peer) -> None:
    """Parent and children each go on with a stream of their own, many times over, and no fork is slow."""
    peer.echo = True

    printed = run_client(
        peer,
        """
        held = echo.delay(1)
        for i in range(25):
            assert echo.delay(i).get(timeout=10) == i
            start = time.perf_counter()
            pid = in_child(lambda: (echo.delay(i).get(timeout=10), held.get(timeout=10)))
            print(time.perf_counter() - start)
            check(pid)
        assert held.get(timeout=10) == 1
        """,
    )

    assert sorted(map(float, printed.split()))[12] < 0.2


def test_fork_while_calls_are_under_way(peer: Peer) -> None:
    """Threads that wait and send when the parent forks get their answers all the same."""
    peer.echo = True

    run_client(
        peer,
        """
        def work(): assert [echo.delay(i).get(timeout=20) for i in range(100)] == list(range(100))
        errors = []
        def guarded():
            try: work()
            except BaseException as error: errors.append(error)
        threads = [threading.Thread(target=guarded) for _ in range(4)]
        for thread in threads: thread.start()
        while any(thread.is_alive() for thread in threads):
            check(in_child(lambda: echo.delay(7).get(timeout=20)))
        assert not errors, errors
        """,
    )


def test_grandchildren_and_exits_of_children(peer: Peer) -> None:
    """A child may fork again, and end as an ordinary process does."""
    peer.echo = True

    run_client(
        peer,
        """
        def child():
            echo.delay(1).get(timeout=10)
            check(in_child(lambda: echo.delay(2).get(timeout=10)))
            sys.stdout.flush()
        echo.delay(0)
        check(in_child(child))
        pid = os.fork()
        if pid == 0:
            echo.delay(3).get(timeout=10)
            sys.exit(0)
        check(pid)
        """,
    )


@pytest.mark.parametrize(
    "script",
    [
        "echo.delay(1).get(timeout=10)",
        "held = [echo.delay(i) for i in range(10)]",
        "threading.Thread(target=lambda: held.get(), daemon=True).start() if (held := app.send_task('n')) else 0",
    ],
    ids=["idle", "results held", "thread waits"],
)
def test_process_ends_at_once(peer: Peer, script: str) -> None:
    """An open stream, held results or waiting threads do not keep a process, and nothing is printed."""
    peer.echo = "get(timeout" in script
    start = time.monotonic()

    printed = run_client(peer, script, seconds=20)

    assert printed == ""
    assert time.monotonic() - start < 5
