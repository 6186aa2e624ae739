"""One host's programs put together: what `orca server` runs, and how it is started and ended.

The only package that imports master, node and proxy; they meet here and on the wire, nowhere else.
"""
