"""DeepCore has its data sets here; a plugin only adds to them."""
