"""A simulated cluster: the real programs, everything around them fake, one seed for all chance.

`story.simulate` plays one; `cluster.SimCluster` is the cluster alone. See docs/design/simulation.md.
"""
