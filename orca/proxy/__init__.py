"""The ingress tier: Envoy, configured by orca. Turns a route table into files and keeps Envoy alive."""
