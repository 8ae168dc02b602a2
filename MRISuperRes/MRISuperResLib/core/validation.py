"""Validation of options: frozen dataclasses whose fields carry a rule.

Example:
    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Options(Validated):
    ...     scale: int = setting(one_of(2, 4, 8), 2)
    >>> Options(3)
    Traceback (most recent call last):
    MRISuperResLib.core.errors.SuperResolutionError: “scale” must be one of 2, 4, 8, not 3.
"""

from __future__ import annotations

import copy
import dataclasses
import json
import sys
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Self

from .errors import SuperResolutionError

MAX_SHOWN = 80
"""Characters of an invalid value that an error shows."""


class Rule(NamedTuple):
    """Rule for the values of a field.

    Attributes:
        accepts: Returns True for a valid value.
        description: Accepted values, as a phrase that follows "must be".
        nested: The `Validated` class that a JSON object becomes, if any.
    """

    accepts: Callable[[Any], bool]
    description: str
    nested: type[Validated] | None = None


def setting(rule: Rule, default: Any = dataclasses.MISSING) -> Any:
    """Return a dataclass field with a rule; without a default the field is required."""
    if isinstance(default, dict):
        return dataclasses.field(
            default_factory=lambda: copy.deepcopy(default), metadata={"rule": rule}
        )
    return dataclasses.field(default=default, metadata={"rule": rule})


@dataclasses.dataclass(frozen=True)
class Validated:
    """Base of frozen dataclasses whose fields are made by `setting`.

    Lists become tuples, since JSON has no tuples.

    Raises:
        SuperResolutionError: A value breaks its rule (kind "settings").
    """

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, list):
                value = tuple(value)
                object.__setattr__(self, field.name, value)
            rule: Rule = field.metadata["rule"]
            if not rule.accepts(value):
                raise invalid(f"“{field.name}” must be {rule.description}, not {_shown(value)}.")

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        values: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(self)))
        return values

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Return the object that `to_dict` described.

        Missing fields keep their defaults. Unknown keys are refused, since a misspelled setting
        must not be ignored.

        Raises:
            SuperResolutionError: A key is unknown or missing, or a value breaks its rule.
        """
        if not isinstance(values, dict):
            raise invalid(f"Settings must be a JSON object, not {_shown(values)}.")
        fields = {field.name: field for field in dataclasses.fields(cls)}
        if unknown := sorted(map(str, set(values) - set(fields))):
            raise invalid(f"Unknown setting {_list(unknown)}. Known settings: {_list(fields)}.")
        required = [
            name
            for name, field in fields.items()
            if field.default is field.default_factory is dataclasses.MISSING
        ]
        if missing := [name for name in required if name not in values]:
            raise invalid(f"Missing setting {_list(missing)}.")
        nested = {name: field.metadata["rule"].nested for name, field in fields.items()}
        return cls(
            **{
                name: nested[name].from_dict(value)
                if nested[name] and isinstance(value, dict)
                else value
                for name, value in values.items()
            }
        )

    @classmethod
    def merged(cls, values: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
        """Return JSON values for `from_dict`: `values` updated with `changes`.

        Nested settings are merged too; anything else is replaced.
        """
        nested = {field.name: field.metadata["rule"].nested for field in dataclasses.fields(cls)}
        out = dict(values)
        for name, change in changes.items():
            inner, kind = out.get(name), nested.get(name)
            if kind and isinstance(inner, dict) and isinstance(change, dict):
                change = kind.merged(inner, change)
            out[name] = change
        return out


def invalid(sentence: str) -> SuperResolutionError:
    """Return the error for an invalid setting."""
    return SuperResolutionError(sentence, "settings")


def integer(minimum: int, maximum: int | None = None) -> Rule:
    """Accept integers of a range, but neither True nor False."""
    return Rule(
        lambda v: type(v) is int and v >= minimum and (maximum is None or v <= maximum),
        f"a whole number {_range(minimum, maximum)}",
    )


def number(minimum: float, maximum: float | None = None) -> Rule:
    """Accept finite numbers of a range."""
    return Rule(
        lambda v: _is_number(v) and v >= minimum and (maximum is None or v <= maximum),
        f"a number {_range(minimum, maximum)}",
    )


def positive() -> Rule:
    """Accept finite numbers above 0."""
    return Rule(lambda v: _is_number(v) and v > 0, "a number above 0")


def below(minimum: float, limit: float) -> Rule:
    """Accept numbers from `minimum` to less than `limit`."""
    return Rule(
        lambda v: _is_number(v) and minimum <= v < limit,
        f"a number from {minimum} to less than {limit}",
    )


def pair_below(minimum: float, limit: float) -> Rule:
    """Accept two numbers from `minimum` to less than `limit`."""
    inner = below(minimum, limit).accepts
    return Rule(
        lambda v: isinstance(v, tuple) and len(v) == 2 and all(map(inner, v)),
        f"two numbers from {minimum} to less than {limit}",
    )


def one_of(*choices: Any) -> Rule:
    """Accept the given values; 2.0 and True are not the integers 2 and 1."""
    return Rule(
        lambda v: type(v) in {type(c) for c in choices} and v in choices,
        f"one of {', '.join(map(str, choices))}",
    )


def boolean() -> Rule:
    """Accept True and False."""
    return Rule(lambda v: isinstance(v, bool), "true or false")


def text() -> Rule:
    """Accept strings."""
    return Rule(lambda v: isinstance(v, str), "a text")


def json_object() -> Rule:
    """Accept dicts of JSON values."""
    return Rule(_is_json_object, "a JSON object")


def nested(kind: type[Validated]) -> Rule:
    """Accept objects of a `Validated` class."""
    return Rule(lambda v: isinstance(v, kind), "a JSON object of settings", kind)


def optional(rule: Rule) -> Rule:
    """Accept None and every value of another rule."""
    return Rule(lambda v: v is None or rule.accepts(v), f"{rule.description}, or none", rule.nested)


def _is_number(value: object) -> bool:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return False
    return abs(value) <= sys.float_info.max  # NaN is not; integers may be beyond float64


def _is_json_object(value: object) -> bool:
    try:
        return isinstance(value, dict) and json.loads(json.dumps(value)) == value
    except (TypeError, ValueError):
        return False


def _range(minimum: float, maximum: float | None) -> str:
    return f"of at least {minimum}" if maximum is None else f"from {minimum} to {maximum}"


def _list(names: Iterable[str]) -> str:
    return ", ".join(f"“{name}”" for name in names)


def _shown(value: object) -> str:
    shown = json.dumps(value, default=repr, ensure_ascii=False)
    return shown if len(shown) <= MAX_SHOWN else shown[: MAX_SHOWN - 1] + "…"
