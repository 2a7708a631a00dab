"""What a bundle has to prove before it is published."""
