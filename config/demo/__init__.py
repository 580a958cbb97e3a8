"""The demo of ``make run``: a workspace that starts calling at once, and an inbox that receives its webhooks.

Nothing here is mounted or created unless ``DEMO`` is set.
"""
