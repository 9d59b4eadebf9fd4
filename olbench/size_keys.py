"""Keys in the settings of a run that is a search for capacity, for who takes it and for who tells it."""

SEARCHED = "size.searched"  # it is one
