"""Log lines: one line per record, in the form ``key=value``."""

import json
import logging
import re
from datetime import UTC, datetime

_IS_EVENT = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)*( [a-z][a-z0-9_]*=|$)")


class OneLine(logging.Formatter):
    """Writes ``at level process logger`` and then the event.

    Our own messages are an event's stable name followed by pairs (``call.placed call=call_01h… answer=accepted``) and
    are written unchanged; messages of libraries become ``message="…"``. A traceback follows on the same line.
    """

    def __init__(self, process_name: str) -> None:
        super().__init__()
        self._process_name = process_name

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, tz=UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        message = record.getMessage()
        is_event = _IS_EVENT.match(message) and "\n" not in message
        pairs = [
            f"at={at}",
            f"level={record.levelname.lower()}",
            f"process={self._process_name}",
            f"logger={record.name}",
            f"event={message}" if is_event else f"message={json.dumps(message, ensure_ascii=False)}",
        ]
        if record.exc_info:
            pairs.append(f"traceback={json.dumps(self.formatException(record.exc_info), ensure_ascii=False)}")
        return " ".join(pairs)
