"""The retry policy that a workspace starts with, and that applies if it has none."""

from collections.abc import Mapping
from typing import Any

DEFAULT_RULES: Mapping[str, Mapping[str, Any]] = {
    "voicemail": {"delays": [1_440], "limit": 3},
    "no_answer": {"delays": [1_440], "limit": 3},
    "busy": {"delays": [60], "limit": 5},
    "network_error": {"delays": [30], "limit": 3},
}
"""Delays in minutes and the number of retries, by outcome."""
