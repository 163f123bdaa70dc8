"""How long the properties are looked for: `HYPOTHESIS_PROFILE=long`, which `nox -s properties` sets, for a session."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

IS_LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"

settings.register_profile(
    "realtime-ci",
    max_examples=500,
    stateful_step_count=30,
    derandomize=True,
    deadline=None,  # shared machines
    database=None,
    report_multiple_bugs=False,
    # A conversation of thirty steps is large for Hypothesis, and meant to be.
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.register_profile(
    "realtime-long",
    settings.get_profile("realtime-ci"),
    max_examples=5000,
    stateful_step_count=40,
    derandomize=False,
    print_blob=True,
)

PROFILE = settings.get_profile("realtime-long" if IS_LONG else "realtime-ci")
MUTATIONS = 100_000 if IS_LONG else 5_000
"""Mutated frames a dialect."""

# The long run is a session of its own and takes as long as it takes; otherwise it is seconds on a quiet machine.
in_time = pytest.mark.timeout(0 if IS_LONG else 300)
