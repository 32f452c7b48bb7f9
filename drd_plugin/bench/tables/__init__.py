"""Tables of runs, and the words in them."""
