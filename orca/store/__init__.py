"""The cluster's memory: the Store contract, etcd, the embedded etcd, and one in memory."""
