"""Downloads that are streamed line by line."""

from collections.abc import Iterable, Mapping

from django.http import StreamingHttpResponse


def csv_file(lines: Iterable[str], *, name: str, headers: Mapping[str, str] | None = None) -> StreamingHttpResponse:
    return StreamingHttpResponse(
        lines,
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}.csv"', **(headers or {})},
    )
