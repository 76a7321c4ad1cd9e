"""What every test may use."""

from hypothesis import settings

# No test is about time: how long an example takes depends on what else the machine does.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
