"""The commands of `pellucid`, one file each; heavy imports wait until a command runs."""
