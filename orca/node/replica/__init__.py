"""One replica on this node: pure decisions over one frozen value, and the actor that acts on them."""
