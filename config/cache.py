"""How the cache stores values: as JSON, because whoever can write a pickle to Valkey can run code where it is read."""

import json
from dataclasses import asdict, is_dataclass

from django.utils.functional import Promise


class JsonSerializer:
    """Takes the place of Django's pickle; integers stay as they are, so that Valkey can count."""

    def dumps(self, value: object) -> int | bytes:
        return value if type(value) is int else json.dumps(value, default=_as_json).encode()

    def loads(self, data: bytes) -> object:
        return json.loads(data)


def _as_json(value: object) -> object:
    """Write what the search of the admin theme finds: records of texts, some of which are made late."""
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, Promise):
        return str(value)
    message = f"{type(value).__name__} is no data"
    raise TypeError(message)
