"""Errors of an export.

ExportError           one line on stderr, exit code 2; nothing is left under the bundle's name
|-- InstallError      a published model that cannot be found, downloaded or stored
`-- VerificationError the graphs do not compute what the network computes, or lose too much
"""


class ExportError(Exception):
    """An export that cannot be made; the message says what to do."""


class InstallError(ExportError):
    """An installation that cannot be made; what was installed before is unchanged."""


class VerificationError(ExportError):
    """A bundle that did not pass; the message holds the figures."""
