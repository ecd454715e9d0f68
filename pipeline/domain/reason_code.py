"""Codes of the reasons that people read, each with its English message.

The codes are stored and are part of the API: they stay as they are. The messages of other languages are in
``pipeline/localisation/catalogues``; ``make messages`` brings those up to date.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class ReasonCode(StrEnum):
    """The code of a reason and its English message, with placeholders ``{name}`` or ``{name:format}``.

    With a ``plural``, the parameter ``n`` chooses between it and the ``message``. ``ReasonWriter`` knows the formats.
    """

    message: str
    plural: str

    def __new__(cls, code: str, message: str = "", plural: str = "") -> Self:
        """A member whose value is the code."""
        member = str.__new__(cls, code)
        member._value_ = code
        member.message, member.plural = message, plural
        return member

    # Decisions: what was decided first, then what qualifies it.
    ASSIGNED = "assigned", "{confidence:percent} sure; this category needs {threshold:percent}"
    BELOW_THRESHOLD = "below_threshold", "only {confidence:percent} sure; this category needs {threshold:percent}"
    UNRELIABLE_CATEGORY = (
        "unreliable_category",
        "{confidence:percent} sure, but answers for this category are not reliable enough yet to go without a person",
    )
    SURE_OF_KNOWN = "sure_of_known", "{confidence:percent} sure of those it knows"
    NOTHING_TO_JUDGE = "nothing_to_judge", "nothing to judge by: {text_problem}; {photo_problem}"
    NO_MODEL = "no_model", "no model yet"
    UNLIKE_KNOWN_LISTINGS = (
        "unlike_known_listings",
        "unlike the listings that this model learned from, perhaps no category fits",
    )
    TEXT_ONLY = "text_only", "decided on text alone: {problem}"
    PHOTO_ONLY = "photo_only", "decided on the photo alone: {problem}"
    PROVISIONAL = "provisional", "provisional until the photo can be read: {problem}"
    NO_TEXT = "no_text", "no text"
    NO_KNOWN_WORD = "no_known_word", "no word of the text is known to this model"
    PHOTO_MODEL = "photo_model", "this model looks at photos only"
    TEXT_MODEL = "text_model", "this model looks at text only"
    NO_PHOTO = "no_photo", "no photo"
    LISTING_WITHOUT_PHOTO = "listing_without_photo", "the listing has no photo"
    NO_USABLE_TEXT = "no_usable_text", "no usable text"
    NO_USABLE_PHOTO = "no_usable_photo", "no usable photo"

    # Whatever has no code of its own: the text of a library, or of an error that was not foreseen.
    OTHER = "other", "{text}"
