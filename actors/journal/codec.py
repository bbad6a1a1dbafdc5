"""How a run is kept in a row: msgpack of the structs in `records`.

One field is kept apart: `RunRecord.output` is JSON text in a `Raw`. An encoder copies a `Raw` as it is, which
in msgpack would be garbage, and msgspec can't decode a `Raw` that may be None. So a record's row is
`[record without output, output]`.
"""

import msgspec

from ..records import RunInput, RunRecord


class _Row(msgspec.Struct, array_like=True):
    record: RunRecord
    output: bytes | None


_encoder = msgspec.msgpack.Encoder()
_row = msgspec.msgpack.Decoder(_Row)
_given = msgspec.msgpack.Decoder(RunInput)


def encode_record(record: RunRecord) -> bytes:
    """The row's bytes of a record, which is left as it was."""
    if record.output is None:
        return _encoder.encode((record, None))
    return _encoder.encode((msgspec.structs.replace(record, output=None), bytes(record.output)))


def decode_record(data: bytes) -> RunRecord:
    """The record that was encoded."""
    row = _row.decode(data)
    if row.output is not None:
        row.record.output = msgspec.Raw(row.output)
    return row.record


def encode_given(given: RunInput) -> bytes:
    """The row's bytes of a run's input."""
    return _encoder.encode(given)


def decode_given(data: bytes) -> RunInput:
    """The input that was encoded."""
    return _given.decode(data)
