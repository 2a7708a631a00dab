"""How well a bundle translates a text that has references; needs no torch."""
