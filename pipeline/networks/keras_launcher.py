"""Start a Keras program: ``python -m pipeline.networks.keras_launcher MODULE ARGUMENTS`` runs MODULE as a program.

Keras imports scikit-learn, pandas and matplotlib where they are installed, for wrappers and plots that are not used
here; that takes a third of its start. It also runs without them, so in these programs they cannot be imported.
"""

from __future__ import annotations

import runpy
import sys

UNUSED = ("matplotlib", "pandas", "sklearn")


def main() -> None:
    """Run the module that the first argument names, with the other arguments."""
    sys.modules.update(dict.fromkeys(UNUSED))  # type: ignore[arg-type]
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
