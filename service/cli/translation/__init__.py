"""`pellucid translate`: lines, documents, and what is known of them."""
