"""What hermes-agent 0.19.0 answered and streamed, written down once: by input, line by line.

Ids, times and durations are null here, for they differ each time. `STREAMS`: the `data:` of each frame; after
them comes the comment `CLOSED`. `RUNS`: the run object when all was over, where it was asked for.
"""

STARTED = '{"run_id": null, "status": "started"}'
STOPPING = '{"run_id": null, "status": "stopping"}'
CLOSED = "stream closed"

STREAMS: dict[str, list[str]] = {
    "text please": [
        '{"event": "message.delta", "run_id": null, "timestamp": null, "delta": "Hello"}',
        '{"event": "message.delta", "run_id": null, "timestamp": null, "delta": ", "}',
        '{"event": "message.delta", "run_id": null, "timestamp": null, "delta": "this is "}',
        '{"event": "message.delta", "run_id": null, "timestamp": null, "delta": "plain text."}',
        (
            '{"event": "reasoning.available", "run_id": null, "timestamp": null, "text": "Hello, this is '
            'plain text."}'
        ),
        (
            '{"event": "run.completed", "run_id": null, "timestamp": null, "output": "Hello, this is plai'
            'n text.", "usage": {"input_tokens": 100, "output_tokens": 7, "total_tokens": 107}}'
        ),
    ],
    "reason why": [
        '{"event": "message.delta", "run_id": null, "timestamp": null, "delta": "The answer"}',
        '{"event": "message.delta", "run_id": null, "timestamp": null, "delta": " is 42."}',
        '{"event": "reasoning.available", "run_id": null, "timestamp": null, "text": "The answer is 42."}',
        (
            '{"event": "run.completed", "run_id": null, "timestamp": null, "output": "The answer is 42.",'
            ' "usage": {"input_tokens": 101, "output_tokens": 7, "total_tokens": 108}}'
        ),
    ],
    "tool echo hi": [
        '{"event": "message.delta", "run_id": null, "timestamp": null, "delta": "I will run it. "}',
        '{"event": "reasoning.available", "run_id": null, "timestamp": null, "text": "I will run it."}',
        (
            '{"event": "tool.started", "run_id": null, "timestamp": null, "tool": "terminal", "preview": '
            '"echo hi"}'
        ),
        (
            '{"event": "tool.completed", "run_id": null, "timestamp": null, "tool": "terminal", "duration'
            '": null, "error": false}'
        ),
        '{"event": "message.delta", "run_id": null, "timestamp": null, "delta": "\\n\\nDone: "}',
        (
            '{"event": "message.delta", "run_id": null, "timestamp": null, "delta": "{\\"output\\": \\"hi\\",'
            ' \\"exit_code\\": 0, \\"error\\": null}"}'
        ),
        (
            '{"event": "reasoning.available", "run_id": null, "timestamp": null, "text": "Done: {\\"output'
            '\\": \\"hi\\", \\"exit_code\\": 0, \\"error\\": null}"}'
        ),
        (
            '{"event": "run.completed", "run_id": null, "timestamp": null, "output": "Done: {\\"output\\": '
            '\\"hi\\", \\"exit_code\\": 0, \\"error\\": null}", "usage": {"input_tokens": 205, "output_tokens":'
            ' 14, "total_tokens": 219}}'
        ),
    ],
    "slow 100 0.3": [
        '{"event": "message.delta", "run_id": null, "timestamp": null, "delta": "w0 "}',
        '{"event": "message.delta", "run_id": null, "timestamp": null, "delta": "w1 "}',
        '{"event": "message.delta", "run_id": null, "timestamp": null, "delta": "w2 "}',
        '{"event": "message.delta", "run_id": null, "timestamp": null, "delta": "w3 "}',
        '{"event": "message.delta", "run_id": null, "timestamp": null, "delta": "w4 "}',
        '{"event": "message.delta", "run_id": null, "timestamp": null, "delta": "w5 "}',
        '{"event": "message.delta", "run_id": null, "timestamp": null, "delta": "w6 "}',
        '{"event": "message.delta", "run_id": null, "timestamp": null, "delta": "w7 "}',
        '{"event": "message.delta", "run_id": null, "timestamp": null, "delta": "w8 "}',
        '{"event": "run.cancelled", "run_id": null, "timestamp": null}',
    ],
    "toolhang": [
        (
            '{"event": "tool.started", "run_id": null, "timestamp": null, "tool": "terminal", "preview": '
            '"sleep 300"}'
        ),
        (
            '{"event": "tool.completed", "run_id": null, "timestamp": null, "tool": "terminal", "duration'
            '": null, "error": true}'
        ),
        '{"event": "run.cancelled", "run_id": null, "timestamp": null}',
    ],
    "error 401": [
        '{"event": "run.failed", "run_id": null, "timestamp": null, "error": "HTTP 401: scripted error"}',
    ],
}

#: The run object in the midst of a run: by its status.
LIVE: dict[str, str] = {
    "running": (
        '{"object": "hermes.run", "run_id": null, "status": "running", "updated_at": null, "created_a'
        't": null, "session_id": null, "model": "hermes-agent", "last_event": "tool.started"}'
    ),
    "stopping": (
        '{"object": "hermes.run", "run_id": null, "status": "stopping", "updated_at": null, "created_'
        'at": null, "session_id": null, "model": "hermes-agent", "last_event": "run.stopping"}'
    ),
}

RUNS: dict[str, str] = {
    "text please": (
        '{"object": "hermes.run", "run_id": null, "status": "completed", "updated_at": null, "created'
        '_at": null, "session_id": null, "model": "hermes-agent", "last_event": "run.completed", "out'
        'put": "Hello, this is plain text.", "usage": {"input_tokens": 100, "output_tokens": 7, "tota'
        'l_tokens": 107}}'
    ),
    "tool echo hi": (
        '{"object": "hermes.run", "run_id": null, "status": "completed", "updated_at": null, "created'
        '_at": null, "session_id": null, "model": "hermes-agent", "last_event": "run.completed", "out'
        'put": "Done: {\\"output\\": \\"hi\\", \\"exit_code\\": 0, \\"error\\": null}", "usage": {"input_toke'
        'ns": 205, "output_tokens": 14, "total_tokens": 219}}'
    ),
    "slow 100 0.3": (
        '{"object": "hermes.run", "run_id": null, "status": "cancelled", "updated_at": null, "created'
        '_at": null, "session_id": null, "model": "hermes-agent", "last_event": "run.cancelled"}'
    ),
    "toolhang": (
        '{"object": "hermes.run", "run_id": null, "status": "cancelled", "updated_at": null, "created'
        '_at": null, "session_id": null, "model": "hermes-agent", "last_event": "run.cancelled"}'
    ),
    "error 401": (
        '{"object": "hermes.run", "run_id": null, "status": "failed", "updated_at": null, "created_at'
        '": null, "session_id": null, "model": "hermes-agent", "error": "HTTP 401: scripted error", "'
        'last_event": "run.failed"}'
    ),
}

#: A tool that wants a person: what was streamed, by the choice; the answer to it; the run object meanwhile.
APPROVALS: dict[str, list[str]] = {
    "once": [
        (
            '{"event": "tool.started", "run_id": null, "timestamp": null, "tool": "terminal", "previe'
            'w": "rm -rf /tmp/x/victim"}'
        ),
        (
            '{"command": "rm -rf /tmp/x/victim", "pattern_key": "delete in root path", "pattern_keys"'
            ': ["delete in root path"], "description": "delete in root path", "allow_permanent": true'
            ', "event": "approval.request", "run_id": null, "timestamp": null, "choices": ["once", "s'
            'ession", "always", "deny"]}'
        ),
        (
            '{"event": "approval.responded", "run_id": null, "timestamp": null, "choice": "once", "re'
            'solved": 1}'
        ),
        (
            '{"event": "tool.completed", "run_id": null, "timestamp": null, "tool": "terminal", "dura'
            'tion": null, "error": false}'
        ),
        '{"event": "message.delta", "run_id": null, "timestamp": null, "delta": "\\n\\nDone: "}',
        (
            '{"event": "message.delta", "run_id": null, "timestamp": null, "delta": "{\\"output\\": \\"\\'
            '", \\"exit_code\\": 0, \\"error\\": null, \\"approval\\": \\"Command required approval (delete '
            'in root path) and was approved by the user.\\"}"}'
        ),
        (
            '{"event": "reasoning.available", "run_id": null, "timestamp": null, "text": "Done: {\\"ou'
            'tput\\": \\"\\", \\"exit_code\\": 0, \\"error\\": null, \\"approval\\": \\"Command required approv'
            'al (delete in root path) and was approved by the user.\\"}"}'
        ),
        (
            '{"event": "run.completed", "run_id": null, "timestamp": null, "output": "Done: {\\"output'
            '\\": \\"\\", \\"exit_code\\": 0, \\"error\\": null, \\"approval\\": \\"Command required approval ('
            'delete in root path) and was approved by the user.\\"}", "usage": {"input_tokens": 215, "'
            'output_tokens": 14, "total_tokens": 229}}'
        ),
    ],
    "deny": [
        (
            '{"event": "tool.started", "run_id": null, "timestamp": null, "tool": "terminal", "previe'
            'w": "rm -rf /tmp/x/victim"}'
        ),
        (
            '{"command": "rm -rf /tmp/x/victim", "pattern_key": "delete in root path", "pattern_keys"'
            ': ["delete in root path"], "description": "delete in root path", "allow_permanent": true'
            ', "event": "approval.request", "run_id": null, "timestamp": null, "choices": ["once", "s'
            'ession", "always", "deny"]}'
        ),
        (
            '{"event": "approval.responded", "run_id": null, "timestamp": null, "choice": "deny", "re'
            'solved": 1}'
        ),
        (
            '{"event": "tool.completed", "run_id": null, "timestamp": null, "tool": "terminal", "dura'
            'tion": null, "error": true}'
        ),
        '{"event": "message.delta", "run_id": null, "timestamp": null, "delta": "\\n\\nDone: "}',
        (
            '{"event": "message.delta", "run_id": null, "timestamp": null, "delta": "{\\"output\\": \\"\\'
            '", \\"exit_code\\": -1, \\"error\\": \\"BLOCKED: Command denied by user. The user has NOT con'
            "sented to this action. Do NOT retry this command, do NOT rephrase it, and do NOT attempt"
            ' the same outcome"}'
        ),
        (
            '{"event": "reasoning.available", "run_id": null, "timestamp": null, "text": "Done: {\\"ou'
            'tput\\": \\"\\", \\"exit_code\\": -1, \\"error\\": \\"BLOCKED: Command denied by user. The user '
            "has NOT consented to this action. Do NOT retry this command, do NOT rephrase it, and do "
            'NOT attempt the same outcome"}'
        ),
        (
            '{"event": "run.completed", "run_id": null, "timestamp": null, "output": "Done: {\\"output'
            '\\": \\"\\", \\"exit_code\\": -1, \\"error\\": \\"BLOCKED: Command denied by user. The user has '
            "NOT consented to this action. Do NOT retry this command, do NOT rephrase it, and do NOT "
            'attempt the same outcome", "usage": {"input_tokens": 219, "output_tokens": 14, "total_to'
            'kens": 233}}'
        ),
    ],
}
APPROVED: dict[str, str] = {
    "once": ('{"object": "hermes.run.approval_response", "run_id": null, "choice": "once", "resolved": 1}'),
    "deny": ('{"object": "hermes.run.approval_response", "run_id": null, "choice": "deny", "resolved": 1}'),
}
WAITING = (
    '{"object": "hermes.run", "run_id": null, "status": "waiting_for_approval", "updated_at":'
    ' null, "created_at": null, "session_id": null, "model": "hermes-agent", "last_event": "a'
    'pproval.request"}'
)
