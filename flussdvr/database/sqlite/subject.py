# -*- test-case-name: tests.database.sqlite.test_catalog -*-
"""
What the subjects have in common: a method is one transaction, and says what becomes of it when the disk hangs.

    @held          done later
    @durable(...)  refused and undone; it says which rows it touches
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Concatenate, ParamSpec, TypeVar

from twisted.internet.defer import Deferred

from flussdvr.database.sqlite.transactions import Transactions
from flussdvr.database.sqlite.undo import Touched

P = ParamSpec("P")
T = TypeVar("T")


class Subject:
    """In the reactor thread."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions


def held(f: Callable[Concatenate[sqlite3.Connection, P], None]) -> Callable[Concatenate[Subject, P], Deferred[None]]:
    """A method that is a transaction in the SQL thread, and done later where the disk does not answer."""

    def method(self: Subject, /, *args: P.args, **kwargs: P.kwargs) -> Deferred[None]:
        return self._transactions.hold(lambda connection: f(connection, *args, **kwargs), None)

    return method


def durable(
    touched: Callable[P, Sequence[Touched]],
) -> Callable[
    [Callable[Concatenate[sqlite3.Connection, P], T]],
    Callable[Concatenate[Subject, P], Deferred[T]],
]:
    """
    A transaction that fails with UNAVAILABLE `state_not_writable` where it can't be stored in time; what it has done to
    the rows `touched` is undone then.
    """

    def decorate(
        f: Callable[Concatenate[sqlite3.Connection, P], T],
    ) -> Callable[Concatenate[Subject, P], Deferred[T]]:
        def method(self: Subject, /, *args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
            rows = touched(*args, **kwargs)
            return self._transactions.bounded(lambda connection: f(connection, *args, **kwargs), True, rows)

        return method

    return decorate
