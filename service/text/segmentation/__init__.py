"""Where sentences end, and how long ones are cut."""
