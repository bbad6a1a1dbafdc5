#!/bin/sh
# A command agent in POSIX shell: says its input word by word, in capitals.
#
#   [agents.shout]
#   command = ["examples/shout.sh"]

# The first line that comes is the start: {"control": "start", "input": "…", …}. A shell knows no JSON, so this
# takes what lies between "input":" and the next quote, which does for words; a real agent would ask jq.
read -r start
text=${start#*\"input\":\"}
text=${text%%\"*}

echo "shouting: $text" >&2      # stderr is the run's log
for word in $text; do
    printf '{"event": "message.delta", "delta": "%s "}\n' "$(printf %s "$word" | tr '[:lower:]' '[:upper:]')"
done
# There is no {"output": …} line, so the deltas are the output. The exit code says how it went: 0 is completed.
