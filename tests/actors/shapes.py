"""Any value of a message's type, for hypothesis: made from the type itself, so that a new field is tried too."""

from typing import Any

import msgspec
from hypothesis import strategies as st
from msgspec import inspect

BIGGEST = 2**63 - 1  # of msgpack's signed integers; beyond 2**64 - 1 nothing can be sent
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
plain = st.none() | st.booleans() | st.integers(-BIGGEST, BIGGEST) | texts


def strategy_of(kind: Any) -> st.SearchStrategy[Any]:
    """Values of this struct, union of structs, or whatever msgspec knows."""
    return _of(inspect.type_info(kind))


def _of(shape: inspect.Type) -> st.SearchStrategy[Any]:
    match shape:
        case inspect.AnyType():
            return st.recursive(plain, lambda deeper: st.lists(deeper, max_size=3), max_leaves=5)
        case inspect.NoneType():
            return st.none()
        case inspect.BoolType():
            return st.booleans()
        case inspect.IntType():
            return st.integers(-BIGGEST - 1 if shape.ge is None else shape.ge, shape.le or BIGGEST)
        case inspect.FloatType():
            return st.floats(allow_nan=False)
        case inspect.StrType():
            return texts
        case inspect.BytesType():
            return st.binary(max_size=40)
        case inspect.LiteralType():
            return st.sampled_from(shape.values)
        case inspect.EnumType():
            return st.sampled_from(list(shape.cls))
        case inspect.UnionType():
            return st.one_of([_of(part) for part in shape.types])
        case inspect.ListType():
            return st.lists(_of(shape.item_type), max_size=3)
        case inspect.DictType():
            return st.dictionaries(_of(shape.key_type), _of(shape.value_type), max_size=3)
        case inspect.StructType():
            return _struct(shape)
        case _:
            raise NotImplementedError(f"no values of {shape}")


def _struct(shape: inspect.StructType) -> st.SearchStrategy[msgspec.Struct]:
    fields = {field.name: _of(field.type) for field in shape.fields}
    return st.builds(shape.cls, **fields)
