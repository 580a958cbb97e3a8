"""Decides whether the promises to callers were kept, from what the carrier saw and what the rows say.

It imports nothing of Ringback: windows are judged by ``zoneinfo`` and one sentence, rows are read by plain SQL, and
what Ringback was told comes from the journal. Whoever changes a rule must change it here too, or be found out.
"""

from tests.simulation.checker.evidence import Rule, Violation
from tests.simulation.checker.judgement import Judgement, judge, share_of, watch

__all__ = ["Judgement", "Rule", "Violation", "judge", "share_of", "watch"]
