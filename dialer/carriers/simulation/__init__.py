"""A telephone network in a box: a process of its own that is spoken to over HTTP like any carrier.

It knows nothing of Django or of Ringback's rows: what it was asked stands in its ledger, what it does stands in
:mod:`~dialer.carriers.simulation.script`.
"""
