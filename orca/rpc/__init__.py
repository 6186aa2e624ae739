"""The wire: messages between programs, their protobuf form, channels, certificates, error mapping."""
