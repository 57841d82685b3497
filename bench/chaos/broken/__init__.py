"""Workers with one part broken, and some that a lookup can kill: each module is a Celery application.

They show that the harness sees what the part is for. The product has no switch for any of it.
"""

POISON = "strychnine"
"""Titles with this word kill the worker that asks for them (`poison`)."""
