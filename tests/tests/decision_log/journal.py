"""A journal that takes datagrams and files as systemd's does, and says of each entry what it got: a line of JSON."""

import array, fcntl, json, os, socket, struct, sys

F_GET_SEALS = 1034

journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
journal.bind(sys.argv[1])
print(json.dumps({"listening": True}), flush=True)


def fields(entry):
    found, at = {}, 0
    while at < len(entry):
        end = entry.index(b"\n", at)
        name, equals, value = entry[at:end].partition(b"=")
        at = end + 1
        if not equals:
            (length,) = struct.unpack("<Q", entry[at : at + 8])
            value = entry[at + 8 : at + 8 + length]
            at += 8 + length + 1
        found[name.decode()] = value.decode()
    return found


while True:
    entry, ancillary, _, _ = journal.recvmsg(1 << 20, 1024)
    seals = None
    for _, _, data in ancillary:
        (descriptor,) = array.array("i", data[:4])
        seals = fcntl.fcntl(descriptor, F_GET_SEALS)
        entry = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
        os.close(descriptor)
    found = fields(entry)
    record = json.loads(found.get("PORTCULLIS_RECORD", "null"))
    path = found.get("PORTCULLIS_PATH")
    missing = found.get("PORTCULLIS_MISSING")
    print(json.dumps({"seals": seals, "bytes": len(entry), "path": path, "id": record and record["id"], "missing": missing}), flush=True)
