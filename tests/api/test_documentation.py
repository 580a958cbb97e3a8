"""What ``docs/api.md`` tells people to send is there."""

import re
from pathlib import Path

from drf_spectacular.generators import SchemaGenerator

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text()
SENT = re.findall(r'curl -s "\$api(/[^"?]*)', PAGE)


def test_every_route_that_the_page_names_is_a_route() -> None:
    paths = SchemaGenerator().get_schema(request=None, public=True)["paths"]  # type: ignore[no-untyped-call]
    known = {re.sub(r"\{[^}]*\}", "*", path.removeprefix("/api/v1")) for path in paths}

    named = {re.sub(r"/([a-z]+_…|[0-9]+)/", "/*/", path) for path in SENT}

    assert len(named) > 20
    assert named <= known
