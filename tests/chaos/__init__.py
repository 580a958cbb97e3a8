"""``make chaos``: the real processes, dial workers killed at named points, the broker flushed; judged from outside.

``plan`` says where the next death is, ``carrier`` and ``worker`` die there, ``__main__`` runs it all, and ``judge``
reads nothing but the carrier's ledger and the database. The product has no hooks for any of this: points inside a
transaction are statements by their names, the others lie in a carrier's adapter.
"""
