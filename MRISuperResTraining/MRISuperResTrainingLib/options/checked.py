"""Dataclasses that go to JSON and back, and say in one sentence what is wrong with a value."""

import copy
import dataclasses
import json
import math
from collections.abc import Callable
from typing import NamedTuple, Self

from MRISuperResLib.core.errors import SuperResolutionError


class Rule(NamedTuple):
    """allows(value) → bool; wanted: what is allowed, as it reads after “must be”; kind: the Checked that a JSON object becomes."""

    allows: Callable
    wanted: str
    kind: type | None = None


def setting(rule, default=dataclasses.MISSING):
    """A field with a rule; without a default it must be given."""
    if isinstance(default, dict):
        return dataclasses.field(
            default_factory=lambda: copy.deepcopy(default), metadata={"rule": rule}
        )
    return dataclasses.field(default=default, metadata={"rule": rule})


@dataclasses.dataclass(frozen=True)
class Checked:
    """Base of a frozen dataclass whose fields are made by `setting`. Raises SuperResolutionError (kind "settings")."""

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, list):
                value = tuple(value)
                object.__setattr__(self, field.name, value)
            rule = field.metadata["rule"]
            if not rule.allows(value):
                raise wrong(f"“{field.name}” must be {rule.wanted}, not {_shown(value)}.")

    def to_dict(self) -> dict:
        """JSON values."""
        return json.loads(json.dumps(dataclasses.asdict(self)))

    @classmethod
    def from_dict(cls, values: dict) -> Self:
        """The inverse of to_dict. What is not given keeps its default; unknown keys are refused, so that none is ignored silently."""
        if not isinstance(values, dict):
            raise wrong(f"Settings are a JSON object, not {_shown(values)}.")
        fields = {field.name: field for field in dataclasses.fields(cls)}
        if unknown := sorted(map(str, set(values) - set(fields))):
            raise wrong(f"There is no setting {_list(unknown)}: there are {_list(fields)}.")
        needed = [
            name
            for name, field in fields.items()
            if field.default is field.default_factory is dataclasses.MISSING
        ]
        if missing := [name for name in needed if name not in values]:
            raise wrong(f"Not given: {_list(missing)}.")
        kinds = {name: field.metadata["rule"].kind for name, field in fields.items()}
        return cls(
            **{
                name: kinds[name].from_dict(value)
                if kinds[name] and isinstance(value, dict)
                else value
                for name, value in values.items()
            }
        )

    @classmethod
    def merged(cls, values: dict, changes: dict) -> dict:
        """JSON values for from_dict: `values` with `changes`. Settings within the settings are merged too, anything else is replaced."""
        kinds = {field.name: field.metadata["rule"].kind for field in dataclasses.fields(cls)}
        out = dict(values)
        for name, change in changes.items():
            inner = out.get(name)
            out[name] = (
                kinds[name].merged(inner, change)
                if kinds.get(name) and isinstance(inner, dict) and isinstance(change, dict)
                else change
            )
        return out


def wrong(sentence):
    return SuperResolutionError(sentence, "settings")


def whole(least, most=None):
    return Rule(
        lambda v: type(v) is int and v >= least and (most is None or v <= most),
        f"a whole number {_range(least, most)}",
    )


def number(least, most=None):
    return Rule(
        lambda v: _is_number(v) and v >= least and (most is None or v <= most),
        f"a number {_range(least, most)}",
    )


def positive():
    return Rule(lambda v: _is_number(v) and v > 0, "a number above 0")


def below(least, limit):
    return Rule(
        lambda v: _is_number(v) and least <= v < limit,
        f"a number from {least} to less than {limit}",
    )


def pair_below(least, limit):
    inner = below(least, limit).allows
    return Rule(
        lambda v: isinstance(v, tuple) and len(v) == 2 and all(map(inner, v)),
        f"two numbers from {least} to less than {limit}",
    )


def one_of(*choices):
    return Rule(
        lambda v: type(v) in {type(c) for c in choices} and v in choices,
        f"one of {', '.join(map(str, choices))}",
    )


def truth():
    return Rule(lambda v: isinstance(v, bool), "true or false")


def text():
    return Rule(lambda v: isinstance(v, str), "a text")


def json_object():
    return Rule(_is_json_object, "a JSON object")


def settings(kind):
    return Rule(lambda v: isinstance(v, kind), "a JSON object of settings", kind)


def optional(rule):
    return Rule(
        lambda v: v is None or rule.allows(v), f"{rule.wanted}, or null for none", rule.kind
    )


def _is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_json_object(value):
    try:
        return isinstance(value, dict) and json.loads(json.dumps(value)) == value
    except (TypeError, ValueError):
        return False


def _range(least, most):
    return f"of at least {least}" if most is None else f"from {least} to {most}"


def _list(names):
    return ", ".join(f"“{name}”" for name in names)


def _shown(value):
    return json.dumps(value, default=repr, ensure_ascii=False)
