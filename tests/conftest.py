"""What every test may use."""

import os

from hypothesis import settings

# No test is about time: how long an example takes depends on what else the machine does. What guards main always plays
# the same examples, so that it fails for what was changed; everybody else's runs explore.
settings.register_profile("untimed", deadline=None, derandomize="CI" in os.environ)
settings.register_profile("deep", deadline=None, max_examples=5_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "untimed"))
