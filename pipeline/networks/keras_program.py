"""Starting a program of Keras: ``python -m pipeline.networks.keras_program MODULE ARGUMENTS`` runs MODULE as a program.

Keras imports scikit-learn, pandas and matplotlib wherever they are, for wrappers and pictures that nobody here uses,
and that takes a third of its start. It does without what cannot be imported, so in these programs they cannot be.
"""

from __future__ import annotations

import runpy
import sys

UNUSED = ("matplotlib", "pandas", "sklearn")


def main() -> None:
    """Run the module that is named by the first argument, with the others as its own."""
    sys.modules.update(dict.fromkeys(UNUSED))  # type: ignore[arg-type]
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
