"""Great Expectations suites on what landed: one module a source, named like the source.

Each module has a function ``suites`` that returns, by raw table, what the new rows of one load are
expected to be; what several of them expect is in ``_shared``. A source without a module is not
checked. To import one takes seconds, since Great Expectations does: only the process of
``flows/checks.py`` should.

Write what DuckDB can do: expectations on regular expressions or LIKE patterns cannot run there, a
subclass of ``UnexpectedRowsExpectation`` can. Its class name is the name of the check, so that a
table needs a subclass per rule. Of a failure only counts are kept, never a row's values.
"""

from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation


def has_suites(source: str) -> bool:
    """Tell whether there are expectations on ``source``, without importing them."""
    return source.isidentifier() and find_spec(f"{__name__}.{source}") is not None


def suites(source: str) -> Mapping[str, Sequence["Expectation"]]:
    """Return the expectations on ``source`` by raw table."""
    found: Mapping[str, Sequence[Expectation]] = import_module(f"{__name__}.{source}").suites()
    return found
