#!/bin/sh
printf 'Content-Type: text/plain; charset=utf-8\r\n\r\n%s from %s\n' "${GREETING:-Hello}" "$(hostname)"
printf 'answered %s for %s\n' "$HTTP_HOST" "$REMOTE_ADDR" >&2
