"""What ``make run`` shows on one's own machine: a workspace that calls at once, and an inbox that hears of it.

Nothing here is mounted or made unless ``DEMO`` is set.
"""
