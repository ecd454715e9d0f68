"""The supervisor with real servers and small programs: dead services restart, a stop leaves nothing behind."""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import redis
import sqlalchemy

from infra.embedded.home import Home, ServiceState, ServiceStatus, StackStatus
from infra.embedded.ports import free_port
from infra.embedded.processes import running_in
from infra.embedded.stack import answers, down, read_status

REPOSITORY = Path(__file__).resolve().parents[4]


def until(look: Callable[[], Any], within: float = 30.0) -> Any:
    """The first true answer of ``look``."""
    deadline = time.monotonic() + within
    while not (seen := look()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
    return seen


class Stack:
    """A stack_runner and its output."""

    def __init__(self, folder: Path, *modes: str, port: int | None = None) -> None:
        self.folder = folder
        folder.parent.mkdir(parents=True, exist_ok=True)
        self.said = folder.parent / f"{folder.name}-said-{time.monotonic_ns()}"
        with self.said.open("wb") as output:
            self.program = subprocess.Popen(
                [sys.executable, "-m", "tests.integration.infra.embedded.stack_runner", str(folder), *modes],
                cwd=REPOSITORY,
                env={**os.environ, **({} if port is None else {"PORT": str(port)})},
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def words(self) -> str:
        return self.said.read_text()

    def ready(self) -> Stack:
        until(lambda: "ready http" in self.words() or self.program.poll() is not None, within=60)
        assert "ready http" in self.words(), self.words()
        return self

    def status(self) -> StackStatus:
        status = read_status(self.folder)
        assert status is not None
        return status

    def service(self, name: str) -> ServiceStatus:
        return next(service for service in self.status().services if service.name == name)

    def kill(self, name: str) -> None:
        """SIGKILL to the first process of a service; returns when it has restarted."""
        before = self.service(name)
        assert before.pid is not None
        os.kill(before.pid, signal.SIGKILL)
        self.wait_for_restart(before)

    def wait_for_restart(self, before: ServiceStatus) -> None:
        def restarted() -> bool:
            now = self.service(before.name)
            return now.restarts > before.restarts and now.state is ServiceState.RUNNING

        until(restarted)

    def end(self) -> None:
        if self.program.poll() is None:
            self.program.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.program.wait(timeout=15)
        if self.program.poll() is None:
            self.program.kill()


@contextlib.contextmanager
def running(folder: Path, *modes: str, port: int | None = None) -> Iterator[Stack]:
    stack = Stack(folder, *modes, port=port)
    try:
        yield stack.ready()
    finally:
        stack.end()


def own_port() -> int:
    """A free port below those the kernel hands out, of this test process alone: nobody takes it between two starts."""
    return free_port(21700 + int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")))


def alive_of(folder: Path) -> list[str]:
    """Every process that was given this home, or works in it."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            words = process.cmdline()
            inside = process.cwd().startswith(str(folder)) or str(folder) in " ".join(words)
            if inside and process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(" ".join(words))
    return found


def lives(process: psutil.Process) -> bool:
    """Whether it runs; an orphan that ended stays a zombie until the machine's first process reaps it."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def worker_and_child(stack: Stack) -> list[psutil.Process]:
    first = psutil.Process(stack.service("worker").pid)
    return [first, *until(first.children)]


def test_a_service_killed_with_9_restarts_on_the_same_port_with_its_data(tmp_path: Path) -> None:
    with running(tmp_path / "home", "servers") as stack:
        own = Home(stack.folder).environment()
        engine = sqlalchemy.create_engine(own["DATABASE_URL"], poolclass=sqlalchemy.NullPool)
        with engine.begin() as connection:
            connection.execute(sqlalchemy.text("CREATE TABLE kept AS SELECT 'kept' AS word"))
        with redis.Redis.from_url(own["BROKER_URL"], decode_responses=True) as client:
            client.set("kept", "kept")
        for name in ("postgres", "redis", "web"):
            stack.kill(name)
        with engine.begin() as connection:
            assert connection.execute(sqlalchemy.text("SELECT word FROM kept")).scalar() == "kept"
        with redis.Redis.from_url(own["BROKER_URL"], decode_responses=True) as client:
            assert client.get("kept") == "kept"
        assert answers(stack.status().address)
        assert stack.words().count("died (killed by signal 9); restarted") == 3
        assert stack.service("postgres").last_exit == "killed by signal 9"


def test_a_stop_is_complete_and_quick_and_the_next_start_finds_the_data(tmp_path: Path) -> None:
    port = own_port()
    with running(tmp_path / "home", "servers", "stubborn", port=port) as stack:
        with sqlalchemy.create_engine(Home(stack.folder).environment()["DATABASE_URL"]).begin() as connection:
            connection.execute(sqlalchemy.text("CREATE TABLE kept AS SELECT 'kept' AS word"))
        assert stack.status().address == f"http://127.0.0.1:{port}"
        before = time.monotonic()
        stack.program.send_signal(signal.SIGINT)
        assert stack.program.wait(timeout=15) == 0
        assert time.monotonic() - before < 10
        assert alive_of(stack.folder) == []
        assert stack.status().state == "stopped"
        assert "shutting down" in (stack.folder / "logs" / "postgres.log").read_text()
    with running(tmp_path / "home", "servers") as stack:
        assert stack.status().address == f"http://127.0.0.1:{port}"
        with sqlalchemy.create_engine(Home(stack.folder).environment()["DATABASE_URL"]).begin() as connection:
            assert connection.execute(sqlalchemy.text("SELECT word FROM kept")).scalar() == "kept"


def test_a_supervisor_killed_with_9_leaves_nothing_and_the_next_start_works(tmp_path: Path) -> None:
    with running(tmp_path / "home", "servers", "stubborn") as stack:
        workers = worker_and_child(stack)
        stack.program.kill()
        until(lambda: alive_of(stack.folder) == [] and not any(lives(process) for process in workers))
        assert not stack.status().alive
    with running(tmp_path / "home", "servers") as stack:
        assert stack.status().state == "running"


def test_everything_killed_with_9_at_once_is_cleared_by_the_next_start(tmp_path: Path) -> None:
    with running(tmp_path / "home", "servers", "stubborn") as stack:
        stuck = worker_and_child(stack)
        guards = [
            process for process in psutil.Process(stack.program.pid).children() if "guard" in str(process.cmdline())
        ]
        assert len(guards) == 1
        for process in guards:
            process.kill()
        stack.program.kill()
        stack.program.wait()
        # Worker and child ignore the launcher's signal, and no guard is left to insist.
        assert all(lives(process) for process in stuck)
    with running(tmp_path / "home", "servers") as stack:
        assert "stopped what an earlier run had left running" in stack.words()
        assert not any(lives(process) for process in stuck)


def test_requests_during_a_restart_wait_and_are_answered(tmp_path: Path) -> None:
    with running(tmp_path / "home") as stack:
        for _ in range(3):
            before = stack.service("web")
            assert before.pid is not None
            os.kill(before.pid, signal.SIGKILL)
            # At once, so that nothing listens but the supervisor; the longest pause of a new service is under a second.
            assert httpx.get(stack.status().address, timeout=30).status_code == 200
            stack.wait_for_restart(before)


def test_starts_at_the_same_moment_get_a_port_each(tmp_path: Path) -> None:
    stacks = [Stack(tmp_path / str(number)) for number in range(4)]
    try:
        for stack in stacks:
            stack.ready()
        assert len({stack.status().address for stack in stacks}) == len(stacks)
        assert [stack.service("web").restarts for stack in stacks] == [0] * len(stacks)
    finally:
        for stack in stacks:
            stack.end()


def test_a_second_start_is_refused_with_the_address_of_the_first(tmp_path: Path) -> None:
    with running(tmp_path / "home") as stack:
        second = Stack(tmp_path / "home")
        assert second.program.wait(timeout=30) == 1
        assert "already runs" in second.words()
        assert stack.status().address in second.words()
        assert "Traceback" not in second.words()
        assert stack.status().alive


def test_two_homes_run_side_by_side(tmp_path: Path) -> None:
    with running(tmp_path / "one", "servers") as one, running(tmp_path / "two", "servers") as two:
        assert one.status().address != two.status().address
        assert answers(one.status().address)
        assert answers(two.status().address)
        assert down(one.folder, print_line=lambda _line: None)
        assert answers(two.status().address)
        assert running_in(two.folder / "postgres" / "data", "postgres")


def test_a_home_may_be_long_and_have_spaces(tmp_path: Path) -> None:
    with running(tmp_path / "a home" / ("long" * 40), "servers") as stack:
        assert {service.state for service in stack.status().services} == {"running", "done"}


def test_children_of_a_dead_worker_are_killed(tmp_path: Path) -> None:
    with running(tmp_path / "home") as stack:
        old = worker_and_child(stack)
        stack.kill("worker")
        assert not any(lives(process) for process in old)
        first = psutil.Process(stack.service("worker").pid)
        until(lambda: first.nice() == min(psutil.Process().nice() + 10, 19))


def test_a_service_that_keeps_dying_is_tried_less_and_less_often(tmp_path: Path) -> None:
    with running(tmp_path / "home", "failing") as stack:
        until(lambda: "failing died (exit code 3); restarts in 2 s" in stack.words())
        assert stack.service("failing").restarts <= 4
        assert stack.service("web").restarts == 0


def test_a_one_shot_that_fails_stops_the_start_and_shows_why(tmp_path: Path) -> None:
    stack = Stack(tmp_path / "home", "broken")
    assert stack.program.wait(timeout=60) == 1
    assert "broken ended with exit code 1" in stack.words()
    assert "no luck" in stack.words()
    assert alive_of(stack.folder) == []


def test_down_says_what_it_did(tmp_path: Path) -> None:
    said: list[str] = []
    assert not down(tmp_path / "home", print_line=said.append)
    assert said == [f"nothing runs in {tmp_path / 'home'}"]
    with running(tmp_path / "home") as stack:
        before = time.monotonic()
        assert down(stack.folder, print_line=said.append)
        assert time.monotonic() - before < 10
        assert said[-1].startswith("stopped")
        assert alive_of(stack.folder) == []


def test_files_with_secrets_are_for_the_owner_only(tmp_path: Path) -> None:
    with running(tmp_path / "home", "servers") as stack:
        secret = [
            Path("run/stack.json"),
            Path("run/environment.json"),
            Path("run/secret_key"),
            Path("redis/redis.conf"),
        ]
        secret += [Path("redis/password"), Path("postgres/password")]
        assert {stat.S_IMODE((stack.folder / file).stat().st_mode) for file in secret} == {0o600}
        assert len(Home(stack.folder).environment()["SECRET_KEY"]) >= 32
