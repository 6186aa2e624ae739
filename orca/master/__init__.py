"""The master: holds the cluster's desired state, decides, and tells nodes and proxies."""
