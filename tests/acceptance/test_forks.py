"""Promise: the SDK works in processes that were forked before and after its first use."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.client import HTTPConnection

import pytest

from support.system import LIMIT_SECONDS, System, until

CHILDREN = 4

# What a user's program does: `used` says whether it has sent something before it forks.
FORKING = """
import os, sys
from acceptance.tasks import add, total
from gesso import group

used, children = sys.argv[1] == "used", int(sys.argv[2])

def run(number):
    header = group(add.s(number, each) for each in range(50))
    assert (header | total.s()).delay().get(timeout=30) == 50 * number + sum(range(50))
    assert add.delay(number, number).get(timeout=30) == 2 * number

if used:
    run(0)
    before = [add.delay(7, number) for number in range(20)]
processes = []
for number in range(children):
    process = os.fork()
    if process == 0:
        run(number)
        sys.exit(0)  # as a program ends, with what it has to clean up
    processes.append(process)
run(children)
if used:
    assert [result.get(timeout=30) for result in before] == list(range(7, 27))
codes = [os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) for process in processes]
print("codes", codes)
"""

# What is opened in a child takes the numbers of what gRPC closes there.
OPENING = """
import os, select, socket, sys
from acceptance.tasks import add

assert add.delay(1, 2).get(timeout=30) == 3
process = os.fork()
if process == 0:
    pairs = [socket.socketpair() for _ in range(50)]
    ends = [end for pair in pairs for end in pair]
    strange = [end.recv(100) for end in select.select(ends, [], [], 1.0)[0]]
    print("written", strange, flush=True)
    os._exit(0)
os.waitpid(process, 0)
"""

# What gunicorn --preload does: the parent imports and uses the application, and forks those who serve.
PRELOADING = """
import json, os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from acceptance.tasks import add, total
from gesso import group

def application(number):
    header = group(add.s(number, each) for each in range(10))
    return (header | total.s()).delay().get(timeout=30)

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        value = application(int(self.path.strip("/")))
        body = json.dumps({"value": value, "process": os.getpid()}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass

assert application(0) == 45
server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
children = [os.fork(), 0]
if children[0]:
    children[1] = os.fork()
if all(children):
    print(json.dumps({"port": server.server_port, "children": children}))
    for child in children:
        os.waitpid(child, 0)
else:
    server.serve_forever()
"""


@pytest.mark.parametrize("used", ["unused", "used"])
def test_forked_children_and_their_parent_run_canvases(system: System, used: str) -> None:
    """Children of a fork before or after the first use get their results, and the parent keeps its own."""
    coordinator = system.coordinator()
    system.worker(coordinator)

    program = system.python("forking", "-c", FORKING, used, str(CHILDREN), address=coordinator.address)
    code = program.ended()

    assert program.line("codes") == f"codes {[0] * CHILDREN}\n"
    assert code == 0


def test_nothing_is_written_into_what_a_child_opens(system: System) -> None:
    """Whatever gRPC does with the connections that a forked child has inherited."""
    coordinator = system.coordinator()
    system.worker(coordinator)

    program = system.python("opening", "-c", OPENING, address=coordinator.address)

    assert program.line("written") == "written []\n"


def test_preloading_web_server_runs_canvases_in_its_children(system: System) -> None:
    """Each of the processes that a web server forks after it used the SDK answers requests that run canvases."""
    coordinator = system.coordinator()
    system.worker(coordinator)
    program = system.python("web server", "-c", PRELOADING, address=coordinator.address)
    served = json.loads(program.line("port"))
    seen: set[int] = set()

    def ask() -> bool:
        for number, (value, process) in enumerate(threads.map(partial(get, served["port"]), range(8))):
            assert value == 10 * number + 45
            seen.add(process)
        return seen == set(served["children"])

    with ThreadPoolExecutor(8) as threads:
        until(ask, "answers of both children")


def get(port: int, number: int) -> tuple[int, int]:
    """Ask the web server, and return the value and who answered."""
    connection = HTTPConnection("127.0.0.1", port, timeout=LIMIT_SECONDS)
    try:
        connection.request("GET", f"/{number}")
        answer = json.loads(connection.getresponse().read())
    finally:
        connection.close()
    return answer["value"], answer["process"]
