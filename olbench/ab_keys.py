"""Keys in the settings of a run that was taken in turn with another, for who takes it and for who tells it."""

SIDE = "ab.side"  # "a" or "b"
OF = "ab.of"  # the id of side a's run
EACH = "ab.block"  # visits of a side that make a block: with 2, repeats 0 and 1 are block 0, and so on
METRICS = "ab.metrics"  # that were looked at, with commas between them
MOST = "ab.most"  # blocks that might count
