"""What source pieces become, learnt from parallel text."""
