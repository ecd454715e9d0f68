"""Run in a fresh interpreter: imports the modules named as arguments and prints, as JSON, the side effects of that.

An effect belongs to the module whose body is being executed when it happens: if a library starts a thread while it is
imported, that is no effect of the module that imports it.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType

ROOT = str(Path(__file__).resolve().parents[2])
EVENTS = (
    "socket.", "subprocess.", "os.system", "os.fork", "os.exec", "os.posix_spawn", "os.spawn", "os.putenv",
    "os.unsetenv", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.chdir", "os.kill", "os.chmod", "os.link",
    "os.symlink", "shutil.", "tempfile.", "urllib.", "sqlite3.", "ctypes.dlopen", "_thread.start_new_thread",
)  # fmt: skip
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CONNECTED = (
    "sqlalchemy.engine.base.Engine", "sqlalchemy.pool.base.Pool", "redis.client.Redis", "celery.app.base.Celery",
    "botocore.client.BaseClient", "requests.sessions.Session", "fastapi.applications.FastAPI",
)  # fmt: skip

effects: list[str] = []


def importing() -> str | None:
    """Our file whose body is being executed; None while the body of a library is."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_code.co_name != "<module>":
        frame = frame.f_back
    file = frame.f_code.co_filename if frame is not None else ""
    inside = file.startswith(ROOT) and "site-packages" not in file and file != __file__
    return file[len(ROOT) + 1 :] if inside else None


def watch(event: str, arguments: tuple[object, ...]) -> None:
    """Record an event of the interpreter that is an effect of one of our modules."""
    opened_to_write = event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING
    if opened_to_write or event.startswith(EVENTS):
        file = importing()
        if file is not None:
            effects.append(f"{file}: {event} {arguments!r:.120}")


def start(thread: threading.Thread) -> None:
    """Record a thread that a module's body starts; the interpreter has no event for it before 3.12."""
    file = importing()
    if file is not None:
        effects.append(f"{file}: starts {thread!r}")
    started(thread)


def main(modules: list[str]) -> None:
    """Import the modules and print the effects."""
    handlers = {number: signal.getsignal(number) for number in signal.valid_signals()}
    sys.addaudithook(watch)
    threading.Thread.start = start  # type: ignore[method-assign, assignment]
    for name in modules:
        importlib.import_module(name)
    changed = [str(n) for n in handlers if signal.getsignal(n) != handlers[n]]
    effects.extend(f"the handler of signal {number} was changed" for number in changed)
    for thing in gc.get_objects():
        names = {f"{kind.__module__}.{kind.__qualname__}" for kind in type(thing).__mro__}
        effects.extend(f"a {name} exists" for name in names.intersection(CONNECTED))
    print(json.dumps({"effects": effects, "loaded": sorted({name.split(".")[0] for name in sys.modules})}))


started = threading.Thread.start
if __name__ == "__main__":
    main(sys.argv[1:])
