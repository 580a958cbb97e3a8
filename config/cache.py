"""How the cache stores values: as JSON, because whoever can write a pickle to Valkey can run code where it is read."""

import json


class JsonSerializer:
    """Takes the place of Django's pickle; integers stay as they are, so that Valkey can count."""

    def dumps(self, value: object) -> int | bytes:
        return value if type(value) is int else json.dumps(value).encode()

    def loads(self, data: bytes) -> object:
        return json.loads(data)
