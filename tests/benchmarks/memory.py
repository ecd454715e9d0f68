"""Memory of each process of a stack that has worked, beside a bare Python process."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import psutil

from infra.embedded.stack import read_status
from tests.faults.stack import RunningStack


def memory(stack: RunningStack) -> dict[str, Any]:
    """Unique megabytes by service (with children), and which services have loaded TensorFlow."""
    status = read_status(stack.folder)
    assert status is not None
    services: dict[str, Any] = {}
    for service in status.services:
        if service.pid is None:
            continue
        root = psutil.Process(service.pid)
        family = [root, *root.children(recursive=True)]
        services[service.name] = {
            "megabytes": round(sum(p.memory_full_info().uss for p in family) / 1e6, 1),
            "processes": len(family),
            "tensorflow": any("tensorflow" in m.path for p in family for m in p.memory_maps(grouped=True)),
        }
    ready = [sys.executable, "-c", "print(flush=True); input()"]
    bare = subprocess.Popen(ready, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert bare.stdout is not None
    bare.stdout.readline()
    reference = psutil.Process(bare.pid).memory_full_info().uss / 1e6
    bare.communicate(b"\n")
    return {"services": services, "bare_python_megabytes": round(reference, 1)}
