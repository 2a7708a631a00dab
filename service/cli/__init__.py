"""The commands of `pellucid`, by what they ask; they import heavy modules only when run."""
