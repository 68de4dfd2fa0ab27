"""Events that were refused, as JSON: whatever a sender wrote is read back as it was."""

import json
from decimal import Decimal
from typing import Any


def as_json(value: Any) -> str:
    """Return JSON with every digit of a decimal, and of a whole number of any length."""
    if isinstance(value, Decimal):
        return str(value)
    # loops, not comprehensions: the less stack a level takes, the deeper an event may be
    parts = []
    if isinstance(value, dict):
        for name, member in value.items():
            parts.append(f"{json.dumps(name)}:{as_json(member)}")
        return f"{{{','.join(parts)}}}"
    if isinstance(value, list):
        for member in value:
            parts.append(as_json(member))
        return f"[{','.join(parts)}]"
    return json.dumps(value)


def from_json(text: str | bytes) -> Any:
    """Return what `as_json` was given."""
    return json.loads(text, parse_float=Decimal)
