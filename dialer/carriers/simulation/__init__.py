"""A simulated telephone network: a separate process with an HTTP API like any carrier's.

It knows nothing about Django or Ringback's rows: its ledger records what it was asked, and
:mod:`~dialer.carriers.simulation.script` defines what it does.
"""
