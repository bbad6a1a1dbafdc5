"""When to look whether a ZeroMQ socket has news: looking costs a system call or two, in vain most of the time."""


class News:
    """`may_be` there: once `fd` was readable, and after anything was done with the socket.

    The descriptor is edge-triggered, and whatever is done with the socket may take the edge away (zmq_getsockopt(3),
    ZMQ_FD). Once all news were taken there are none until one of the two happens again.
    """

    __slots__ = ("fd", "may_be")

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.may_be = True
