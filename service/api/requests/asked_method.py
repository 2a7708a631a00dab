"""The method that a client sent: the app sees GET for HEAD."""

ASKED_METHOD = "pellucid.asked_method"
"""Where the scope of a request has it, if the app sees another as its `method`."""
