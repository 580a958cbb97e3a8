"""``make hostile``: receivers that do everything wrong, over http and https, and healthy ones beside them.

``behaviours`` is the table of what they do and what must come of it, ``server`` does it in a process of its own with a
name server of its own, ``alone`` posts to all of them at once through the transport, ``beside`` lets the shipped loop
deliver to all of them and to healthy ones, ``upkeep`` changes endpoints under its feet, ``__main__`` prints and judges.
"""
