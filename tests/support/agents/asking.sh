#!/bin/sh
# Asks once, then takes guidance once, and says what it heard of both.
read -r start
echo '{"approval": {"id": "mine", "prompt": "May I?", "choices": ["once", "deny"]}}'
read -r answer
echo '{"event": "message.delta", "delta": "ready"}'
read -r guidance
id=$(printf '%s' "$guidance" | sed 's/.*"id":"\([^"]*\)".*/\1/')
printf '{"steered": "%s"}\n' "$id"
printf '{"output": [%s, %s]}\n' "$answer" "$guidance"
