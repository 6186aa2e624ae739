#!/bin/sh
printf 'Content-Type: text/plain; charset=utf-8\r\n\r\n%s from %s\n' "${GREETING:-Hello}" "$(hostname)"
