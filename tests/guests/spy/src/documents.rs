//! Every method of a document, with every pointer that may lead out of it.

use portcullis_policy::Document;

use crate::finds::Finds;

const POINTERS: [&str; 44] = [
    "",
    "/",
    "//",
    "/.",
    "/..",
    "/../",
    "/../..",
    "/../../data",
    "/../rose",
    "/../blue",
    "/../../rose/data/own-rose",
    "/../../blue/data/own-blue",
    "/~0",
    "/~1",
    "/~01",
    "/~2",
    "/~",
    "/~1..~1blue",
    "/..~1..~1rose~1data",
    "/..~1..~1blue~1data",
    "/~1etc~1portcullis~1tenants~1blue~1data~1own-blue.json",
    "/%2e%2e/blue",
    "/\0",
    "/own-blue\0",
    "/*",
    "/-",
    "/-1",
    "/0",
    "/4294967296",
    "/blue",
    "/blue/own-blue",
    "/blue~1own-blue",
    "/rose",
    "/rose/own-rose",
    "/rose~1own-rose",
    "/own-blue",
    "/own-blue/mark",
    "/own-rose",
    "/own-rose/mark",
    "/secrets",
    "/secrets/mark",
    "/secrets/mark/../../own-blue",
    "/tenants/blue/data/own-blue",
    "no pointer",
];

/// The value at every pointer; and, at another one each turn, whatever else can be asked.
pub(crate) fn search(finds: &mut Finds, place: &'static str, document: &Document, turn: usize) {
    for pointer in POINTERS {
        finds.look(place, &document.json(pointer).unwrap_or_default());
    }
    let Some(pointer) = POINTERS.iter().cycle().nth(turn % POINTERS.len()) else { return };
    let rest = format!(
        "{:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?}",
        document.kind(pointer),
        document.text(pointer),
        document.boolean(pointer),
        document.integer(pointer),
        document.number(pointer),
        document.len(pointer),
        document.keys(pointer),
        document.texts(pointer),
    );
    finds.look(place, &rest);
}
