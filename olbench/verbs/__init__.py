"""One file a verb: it puts the pieces together, prints, and gives the exit code."""
