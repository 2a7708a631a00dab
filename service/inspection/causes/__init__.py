"""What caused each token: a method is a file; `methods` says which passes it needs."""
