"""Checks of a translation that need no model."""

from service.text.checks.check import Check
from service.text.checks.checker import CHECK_NAMES, check

__all__ = ["CHECK_NAMES", "Check", "check"]
