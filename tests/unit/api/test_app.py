"""The api process stays light: none of the mathematics is loaded with it."""

from __future__ import annotations

import subprocess
import sys


def test_importing_the_app_loads_no_mathematics_and_no_workers() -> None:
    code = (
        "import sys, api.app; "
        "print(sorted({'tensorflow', 'openvino', 'sklearn', 'cv2', 'scipy', 'celery', 'workers'} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
