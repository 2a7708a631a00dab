"""What every test finds: properties without a clock, and a root logger that no other test set up."""

import logging

import pytest
from hypothesis import HealthCheck, settings

from service.logs import JsonFormatter

# Built on the current profile, which differs where hypothesis finds itself in CI.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

_LEVEL = logging.getLogger().level


@pytest.fixture(autouse=True)
def _logging_as_at_the_start() -> None:
    """A server in this process, maybe of another module, has sent the logs where it wanted them."""
    root = logging.getLogger()
    root.handlers = [x for x in root.handlers if not isinstance(x.formatter, JsonFormatter)]
    root.setLevel(_LEVEL)
    logging.captureWarnings(False)
