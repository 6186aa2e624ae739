"""A route table in Envoy's words. Pure: no file, no clock, no process."""
