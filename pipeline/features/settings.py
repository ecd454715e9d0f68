"""scikit-learn's contract of settings without scikit-learn, which a serving worker leaves out of its memory."""

from __future__ import annotations

import inspect
from typing import Any, Self

from pipeline.domain.errors import BadArtefact
from pipeline.features.extractor import State


class Settings:
    """Settings are the constructor's arguments, stored under their own names; ``sklearn.clone`` works on it."""

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The constructor's arguments and their values; ``deep`` is there for scikit-learn, nothing nests here."""
        return {
            name: getattr(self, name) for name in inspect.signature(type(self).__init__).parameters if name != "self"
        }

    def set_params(self, **settings: object) -> Self:
        """Change settings by name, as scikit-learn's searches do; ValueError for a name that is none."""
        known = self.get_params()
        for name, value in settings.items():
            if name not in known:
                raise ValueError(f"{type(self).__name__} has no setting {name!r}")
            setattr(self, name, value)
        return self


def check_state(state: State, kind: str, version: int) -> None:
    """BadArtefact unless the state was saved by this kind of extractor in this version."""
    if state.get("kind") != kind or state.get("version") != version:
        found = f"{state.get('kind')} version {state.get('version')}"
        raise BadArtefact(f"the saved extractor is {found}, expected {kind} version {version}; train a new model")
