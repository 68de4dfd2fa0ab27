"""JSON whose numbers keep their digits, in one canonical form: no float ever touches an amount."""

import json
import re
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

import orjson

INT64 = range(-(2**63), 2**63)
ESCAPED_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]").search


def parse(text: str | bytes) -> Any:
    """Return what JSON says, decimals as Decimal; NaN and infinities are no JSON.

    Raises ValueError, with a message that holds nothing of the text.
    """
    try:
        if ESCAPED_SURROGATE(text if isinstance(text, bytes) else text.encode()):
            orjson.loads(text)  # half a pair is no text, and could be written nowhere
        return _DECODER.decode(text if isinstance(text, str) else text.decode("utf-8-sig"))
    except json.JSONDecodeError as error:
        raise ValueError(f"no JSON at line {error.lineno}, column {error.colno}") from None
    except UnicodeError:
        raise ValueError("no JSON, as it is not UTF-8") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except (ArithmeticError, ValueError):
        raise ValueError("no JSON, as a number in it is none") from None


def dump(value: Any) -> bytes:
    """Return canonical JSON: keys sorted, no spaces; the same value is the same bytes.

    Raises ValueError for what is nested too deeply.
    """
    try:
        try:
            return orjson.dumps(value, default=_number, option=orjson.OPT_SORT_KEYS)
        except TypeError:  # mostly an integer beyond 64 bits, which orjson does not write
            return orjson.dumps(_writable(value), default=_number, option=orjson.OPT_SORT_KEYS)
    except (RecursionError, TypeError):
        raise ValueError("nested too deeply") from None


def _number(value: Any) -> orjson.Fragment:
    if isinstance(value, Decimal):
        return orjson.Fragment(str(value))
    raise TypeError


def _writable(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _writable(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_writable(item) for item in value]
    return Decimal(value) if isinstance(value, int) and value not in INT64 else value


def _no_number(word: str) -> NoReturn:
    raise InvalidOperation(word)


_DECODER = json.JSONDecoder(parse_float=Decimal, parse_constant=_no_number)
