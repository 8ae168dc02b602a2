"""Annotations of parameters: Annotated[type, ...]."""


class Validator:
    def validate(self, value):
        """Raise ValueError for a value that is not allowed."""
        raise NotImplementedError


class Minimum(Validator):
    def __init__(self, minimum):
        self.minimum = minimum

    def validate(self, value):
        if value is not None and value < self.minimum:
            raise ValueError(f"Value must be greater than or equal to {self.minimum}, got {value}")


class Maximum(Validator):
    def __init__(self, maximum):
        self.maximum = maximum

    def validate(self, value):
        if value is not None and value > self.maximum:
            raise ValueError(f"Value must be less than or equal to {self.maximum}, got {value}")


class WithinRange(Minimum, Maximum):
    def __init__(self, minimum, maximum):
        Minimum.__init__(self, minimum)
        Maximum.__init__(self, maximum)

    def validate(self, value):
        Minimum.validate(self, value)
        Maximum.validate(self, value)


class Choice(Validator):
    def __init__(self, choices):
        self.choices = list(choices)

    def validate(self, value):
        if value not in self.choices:
            raise ValueError(f"Value must be one of {self.choices}, got {value!r}")


class Exclude(Validator):
    def __init__(self, excluded):
        self.excluded = list(excluded)

    def validate(self, value):
        if value in self.excluded:
            raise ValueError(f"Value must not be one of {self.excluded}, got {value!r}")


class Default:
    def __init__(self, value):
        self.value = value


class Decimals:
    def __init__(self, value):
        self.value = value


class SingleStep:
    def __init__(self, value):
        self.value = value


class RangeBounds:
    def __init__(self, minimum, maximum):
        self.minimum, self.maximum = minimum, maximum
