"""``make chaos``: everything that must survive, done to the real processes and servers; judged from outside.

``world`` is the people, ``crew`` the processes and ``servers`` what they stand on; ``storm`` says what is done to them
and when, ``faults`` writes it down before it is done. ``history`` is what was seen, ``promise_judge`` and ``judge`` say
whether it may be. ``plan``, ``carrier``, ``worker`` and ``lives`` are of a dial worker that dies at named points. The
product has no hooks for any of this: points inside a transaction are statements by their names, the others lie in a
carrier's adapter, and ``app`` is Celery's app with what a process is to suffer.
"""
