"""The declarative base of all tables, the naming convention of constraints, enums and common columns."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, mapped_column

NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Declarative base; constraint names follow a convention, so that migrations can refer to them."""

    metadata = sa.MetaData(naming_convention=NAMING_CONVENTION)


def enum_of(members: type[StrEnum], name: str) -> sa.Enum:
    """A Postgres enum that stores the members' values, not their Python names."""
    return sa.Enum(members, name=name, values_callable=lambda enum: [member.value for member in enum])


PrimaryKey = Annotated[int, mapped_column(sa.BigInteger, sa.Identity(always=True), primary_key=True)]
TextStr = Annotated[str, mapped_column(sa.Text)]
Timestamp = Annotated[datetime, mapped_column(sa.DateTime(timezone=True))]
# A reason with its code and parameters; NULL where there is none, and in rows older than the codes.
CodedReason = Annotated[dict[str, Any] | None, mapped_column(JSONB(none_as_null=True))]
CreatedAt = Annotated[datetime, mapped_column(sa.DateTime(timezone=True), server_default=sa.func.now())]
