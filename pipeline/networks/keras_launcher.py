"""Start a Keras program: ``python -m pipeline.networks.keras_launcher MODULE ARGUMENTS`` runs MODULE as a program.

Keras imports scikit-learn, pandas and matplotlib if they are installed, for wrappers and plots that are not used here;
that takes a third of its start-up time. It also works without them, so these programs block their import.
"""

from __future__ import annotations

import runpy
import sys

BLOCKED_MODULES = ("matplotlib", "pandas", "sklearn")


def main() -> None:
    """Run the module that the first argument names, with the other arguments."""
    sys.modules.update(dict.fromkeys(BLOCKED_MODULES))  # type: ignore[arg-type]
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
