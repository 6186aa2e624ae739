"""Generated from proto/orca/v1 by scripts/gen-proto.sh; do not edit."""
