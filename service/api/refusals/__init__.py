"""What a request that fails is answered, and how soon."""
