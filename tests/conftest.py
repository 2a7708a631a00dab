"""Property tests on any machine: how long an example takes is never what is tested."""

from hypothesis import HealthCheck, settings

# Built on the current profile, which differs where hypothesis finds itself in CI.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")
