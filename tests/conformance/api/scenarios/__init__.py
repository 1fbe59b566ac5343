"""For each implemented operation, a function of its name that calls it with success, its members filled.

Every answer on the way is checked too, so a scenario may well look at what it made with the operations that describe it.
"""
