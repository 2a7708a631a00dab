"""Numbers, dates and times: found in a text, compared, and written as a language writes them."""
