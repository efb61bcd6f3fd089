//! Policies that make a compiler explode: small files of which much is to be made. Each kind from a seed, so that a test that
//! fails can be repeated, and no bound fits one size by chance.

use std::fmt::Write as _;

use crate::error::{Error, Result};

/// One file that must be refused.
#[derive(Clone, Debug)]
pub struct Bomb {
    pub kind: &'static str,
    pub bytes: Vec<u8>,
}

/// The first bytes of a component.
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
/// The section of a component that holds another one.
const COMPONENT_SECTION: u8 = 4;

/// One bomb of each kind.
pub fn all(seed: u64) -> Result<Vec<Bomb>> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut bombs = vec![
        Bomb { kind: "nested components", bytes: nested(random.usize(1_000..6_000)) },
        Bomb { kind: "components side by side", bytes: side_by_side(random.usize(2_000..10_000)) },
    ];
    let mut add = |kind, text: String| {
        let bytes = wat::parse_str(&text).map_err(|error| Error::Unexpected(format!("{kind}: {error}")))?;
        bombs.push(Bomb { kind, bytes });
        Ok::<_, Error>(())
    };
    add("instances that double", doubling(random.usize(13..16)))?;
    add("instances of one module", instances(random.usize(2_500..6_000)))?;
    of_modules(&mut random, &mut add)?;
    of_functions(&mut random, &mut add)?;
    of_types(&mut random, &mut add)?;
    Ok(bombs)
}

type Add<'a> = &'a mut dyn FnMut(&'static str, String) -> Result<()>;

/// Much of one thing in a module.
fn of_modules(random: &mut fastrand::Rng, add: Add<'_>) -> Result<()> {
    let mut many =
        |kind, item: &str, counts: std::ops::Range<usize>| add(kind, module(&item.repeat(random.usize(counts))));
    many("functions", "(func)", 260_000..400_000)?;
    many("functions that call", "(func call 0 call 0)", 260_000..300_000)?;
    many("tables", "(table 1 funcref)", 250..1_000)?;
    many("memories", "(memory 1)", 250..1_000)?;
    many("globals", "(global i32 (i32.const 0))", 25_000..100_000)?;
    many("module types", "(type (func (param i32 i64 i32 i64 i32 i64 f32 f64)))", 150_000..200_000)?;
    let count = random.usize(25_000..60_000);
    let list = |make: &dyn Fn(usize) -> String| (0..count).map(make).collect::<String>();
    add("imports", module_of_imports(&list(&|number| format!("(import \"m\" \"{number}\" (func))"))))?;
    add(
        "exports",
        module(&format!(
            "(func){}{}",
            list(&|number| format!("(export \"a{number}\" (func 0))")),
            list(&|number| format!("(export \"b{number}\" (func 0))"))
        )),
    )?;
    add(
        "data segments",
        module(&format!("(memory 1){}", list(&|number| format!("(data (i32.const {number}) \"a\")")).repeat(3))),
    )?;
    add("element segments", module(&format!("(table 1 funcref)(func){}", list(&|_| "(elem func 0)".to_owned()))))?;
    let long = "x".repeat(90_000);
    add(
        "long names",
        module(&format!(
            "(func){}",
            (0..30).map(|number| format!("(export \"{long}{number}\" (func 0))")).collect::<String>()
        )),
    )
}

/// One function of which much is to be made.
fn of_functions(random: &mut fastrand::Rng, add: Add<'_>) -> Result<()> {
    let locals = random.usize(4_000..19_000);
    let loops = random.usize(1_000..4_000);
    let set = |local: usize| format!("local.get {} local.set {} ", local % locals, (local + 1) % locals);
    let heads = |head: &str, tail: &str| {
        (0..loops).map(|number| format!("{head} {} {tail} ", set(number * 7))).collect::<String>()
    };
    let function = |body: &str| module(&format!("(func (local {}) {body})", "i32 ".repeat(locals)));
    let nested = format!("{} {}", heads("loop", ""), "i32.const 1 br_if 0 end ".repeat(loops));
    add("local variables times nested loops", function(&nested))?;
    add("local variables times loops", function(&heads("loop", "i32.const 1 br_if 0 end")))?;
    let uses: String = (0..locals).map(|local| format!("local.get {local} drop ")).collect();
    let branches: String =
        (0..loops).map(|number| format!("local.get 0 if {} else {} end ", set(number * 3), set(number * 5))).collect();
    add(
        "local variables times branches",
        module(&format!("(func (param i32) (local {}) {branches} {uses})", "i32 ".repeat(locals))),
    )?;
    let everything: String = (0..locals.min(5_000))
        .map(|local| format!("local.get {local} i32.const 1 i32.add local.set {local} "))
        .collect();
    add(
        "loops over all local variables",
        module(&format!(
            "(func (local {}) {} {everything} {} )",
            "i32 ".repeat(locals),
            "loop ".repeat(loops),
            "local.get 0 br_if 0 end ".repeat(loops)
        )),
    )?;
    let depth = random.usize(45_000..60_000);
    add("deep blocks", module(&format!("(func {} {})", "block ".repeat(depth), "end ".repeat(depth))))?;
    add(
        "a huge table of branches",
        module(&format!(
            "(func (param i32) block local.get 0 br_table {} end)",
            "0 ".repeat(random.usize(210_000..300_000))
        )),
    )?;
    let targets = format!("local.get 0 br_table {} ", "0 1 2 3 ".repeat(400));
    add(
        "tables of branches in deep blocks",
        module(&format!(
            "(func (param i32) {} {} {})",
            "block ".repeat(3_000),
            format!("block {targets} end ").repeat(140),
            "end ".repeat(3_000)
        )),
    )?;
    let results = "i64 ".repeat(1_000);
    let calls = random.usize(3_000..9_000);
    add(
        "calls with a thousand results",
        module(&format!("(func $f (result {results}) unreachable)(func {} unreachable)", "call $f ".repeat(calls))),
    )?;
    let blocks = format!(
        "(type $t (func (param {results}) (result {results})))(func (param i32) (result {results}) {} {} {})",
        "i64.const 0 ".repeat(1_000),
        "local.get 0 if (type $t) else end ".repeat(calls),
        ""
    );
    add("blocks with a thousand parameters", module(&blocks))?;
    let straight = random.usize(400_000..900_000);
    add(
        "a long function",
        module(&format!("(func (result i64) i64.const 1 {})", "i64.const 7 i64.div_s ".repeat(straight))),
    )?;
    let group = random.usize(9..12);
    add("functions that grow when inlined", module(&inlined(group)))
}

/// Types of components.
fn of_types(random: &mut fastrand::Rng, add: Add<'_>) -> Result<()> {
    let depth = random.usize(16..24);
    let tuples: String = (1..depth).map(|level| format!("(type $t{level} (tuple $t{0} $t{0}))", level - 1)).collect();
    add(
        "component types that double",
        format!(
            "(component (type $t0 (tuple u8 u8)){tuples}(import \"f\" (func (param \"a\" $t{0}) (result $t{0}))))",
            depth - 1
        ),
    )?;
    let records = random.usize(20_000..40_000);
    add(
        "component types",
        format!(
            "(component {})",
            "(type (record (field \"a\" u8) (field \"b\" string) (field \"c\" u64)))".repeat(records)
        ),
    )?;
    add("adapters of huge types", adapters(random.usize(8..11), random.usize(150..300)))?;
    let nested = random.usize(30..45);
    add(
        "component types in component types",
        format!(
            "(component (type {} {}))",
            "(component (type ".repeat(nested),
            "(func)))".to_owned() + &"))".repeat(nested - 1)
        ),
    )
}

/// A component in which a module with these fields is used.
fn module(fields: &str) -> String {
    format!("(component (core module $m {fields}) (core instance (instantiate $m)))")
}

/// A component that holds a module with these imports.
fn module_of_imports(imports: &str) -> String {
    format!("(component (core module {imports}))")
}

fn nested(depth: usize) -> Vec<u8> {
    let mut inner = COMPONENT.to_vec();
    for _ in 0..depth {
        inner = [COMPONENT, &section(&inner)].concat();
    }
    inner
}

fn side_by_side(count: usize) -> Vec<u8> {
    [COMPONENT, &section(COMPONENT).repeat(count)].concat()
}

fn section(content: &[u8]) -> Vec<u8> {
    let mut section = vec![COMPONENT_SECTION];
    let mut rest = content.len();
    while rest >= 0x80 {
        section.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    section.push(rest as u8);
    section.extend_from_slice(content);
    section
}

/// Each component makes two instances of the one before it.
fn doubling(levels: usize) -> String {
    let mut text = "(component $c0 (core module $m (func (export \"f\"))) (core instance (instantiate $m)))".to_owned();
    for level in 1..levels {
        let before = level - 1;
        text = format!(
            "(component $c{level} {text} (instance (instantiate $c{before})) (instance (instantiate $c{before})))"
        );
    }
    text
}

fn instances(count: usize) -> String {
    format!("(component (core module $m (func (export \"f\"))){})", "(core instance (instantiate $m))".repeat(count))
}

/// Each function calls the one before it ten times.
fn inlined(levels: usize) -> String {
    let mut text = "(func $f0 (param i32) (result i32) local.get 0 i32.const 1 i32.add)".to_owned();
    for level in 1..levels * 200 {
        let _ = write!(
            text,
            "(func $f{level} (param i32) (result i32) local.get 0 {})",
            format!("call $f{} ", level - 1).repeat(40)
        );
    }
    text
}

/// Two components of which one calls the other with large values, which are copied from memory to memory.
fn adapters(depth: usize, functions: usize) -> String {
    let tuples: String =
        (1..depth).map(|level| format!("(type $t{level} (tuple $t{0} $t{0} $t{0}))", level - 1)).collect();
    let types = format!("(type $t0 (tuple u8 string u64)){tuples}(type $f (func (param \"a\" $t{})))", depth - 1);
    let mut lifts = String::new();
    let mut lowers = String::new();
    for number in 0..functions {
        let _ = write!(
            lifts,
            "(func (export \"f{number}\") (type $f) (canon lift (core func $i \"f\") (memory $i \"m\") (realloc (func $i \"r\"))))"
        );
        let _ = write!(
            lowers,
            "(core func (canon lower (func $a \"f{number}\") (memory $i \"m\") (realloc (func $i \"r\"))))"
        );
    }
    let core = "(core module $m (memory (export \"m\") 1) (func (export \"f\") (param i32)) (func (export \"r\") (param i32 i32 i32 i32) (result i32) unreachable)) (core instance $i (instantiate $m))";
    format!("(component (component $a {core} {types} {lifts}) (instance $a (instantiate $a)) {core} {lowers})")
}
