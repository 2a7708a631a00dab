"""The commands of `pellucid`, one file each; they import heavy modules only when run."""
