"""What schemathesis does not know by itself: how the types of the admin API are sent."""

import schemathesis


@schemathesis.serializer("application/wasm")
def wasm(_context, value):
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")
