//! What a policy's file may hold, counted in one pass over its bytes before anything is made of it.
//!
//! A compiler needs far more memory and time for some files than their size tells: a few kilobytes of nested components,
//! or of loops over many local variables, come to gigabytes. These bounds refuse such files early, with a message that
//! names what there is too much of. They admit what real toolchains build. What passes them and still explodes meets the
//! limits of the process that compiles ([`crate::compiler`]).

use wasmparser::{FunctionBody, Operator, Parser, Payload};

use crate::error::LoadError;

/// Composed components nest a few levels; `wit-component` makes one or two.
const DEPTH: u64 = 16;
/// Components, modules and instances of a file, those in nested components among them.
const COMPONENTS: u64 = 200;
const MODULES: u64 = 200;
const INSTANCES: u64 = 2_000;
/// Of type sections. Types can refer to each other, so it is their text that is bounded.
const TYPE_BYTES: u64 = 1 << 20;
const FUNCTIONS: u64 = 250_000;
const TABLES: u64 = 200;
const MEMORIES: u64 = 200;
const TAGS: u64 = 1_000;
const GLOBALS: u64 = 20_000;
const IMPORTS: u64 = 20_000;
const EXPORTS: u64 = 50_000;
/// Of both: that is, of their names.
const NAME_BYTES: u64 = 1 << 20;
const ALIASES: u64 = 50_000;
/// Lifted and lowered functions of a component: code is made for each.
const CANONICALS: u64 = 10_000;
const ELEMENT_SEGMENTS: u64 = 20_000;
const DATA_SEGMENTS: u64 = 50_000;

/// Of one function. The largest of CPython, an interpreter's loop, has 190 KiB.
const BODY_BYTES: u64 = 1 << 20;
const LOCALS: u64 = 20_000;
const BLOCKS: u64 = 50_000;
const BLOCK_DEPTH: u64 = 4_000;
const BRANCH_TARGETS: u64 = 200_000;
/// Each loop can carry each local variable around, which is what makes a small function large.
const LOCALS_TIMES_LOOPS: u64 = 2_000_000;

/// How much of a file is to be compiled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Contents {
    /// Of all function bodies.
    pub(crate) code_bytes: u64,
}

/// One bound, and what was counted towards it so far.
struct Count {
    what: &'static str,
    found: u64,
    most: u64,
}

/// What is counted of a whole file.
struct Counts {
    depth: Count,
    components: Count,
    modules: Count,
    instances: Count,
    type_bytes: Count,
    functions: Count,
    tables: Count,
    memories: Count,
    tags: Count,
    globals: Count,
    imports: Count,
    exports: Count,
    name_bytes: Count,
    aliases: Count,
    canonicals: Count,
    element_segments: Count,
    data_segments: Count,
    code_bytes: u64,
}

/// Counts what is in a file. Reads it once, front to back, and keeps nothing of it.
pub(crate) fn check(bytes: &[u8]) -> Result<Contents, LoadError> {
    let mut counts = Counts::new();
    for payload in Parser::new(0).parse_all(bytes) {
        counts.take(&payload.map_err(invalid)?)?;
    }
    Ok(Contents { code_bytes: counts.code_bytes })
}

fn invalid(error: wasmparser::BinaryReaderError) -> LoadError {
    LoadError::Invalid(error.to_string())
}

// === impl Count ===

impl Count {
    const fn new(what: &'static str, most: u64) -> Self {
        Self { what, found: 0, most }
    }

    fn add(&mut self, found: u64) -> Result<(), LoadError> {
        self.found = self.found.saturating_add(found);
        if self.found <= self.most {
            return Ok(());
        }
        Err(LoadError::TooMuch { what: self.what.to_owned(), found: self.found, most: self.most })
    }
}

// === impl Counts ===

impl Counts {
    const fn new() -> Self {
        Self {
            depth: Count::new("levels of nested components", DEPTH),
            components: Count::new("components", COMPONENTS),
            modules: Count::new("core modules", MODULES),
            instances: Count::new("instances", INSTANCES),
            type_bytes: Count::new("bytes of types", TYPE_BYTES),
            functions: Count::new("functions", FUNCTIONS),
            tables: Count::new("tables", TABLES),
            memories: Count::new("memories", MEMORIES),
            tags: Count::new("exception tags", TAGS),
            globals: Count::new("globals", GLOBALS),
            imports: Count::new("imports", IMPORTS),
            exports: Count::new("exports", EXPORTS),
            name_bytes: Count::new("bytes of imports and exports", NAME_BYTES),
            aliases: Count::new("aliases", ALIASES),
            canonicals: Count::new("lifted and lowered functions", CANONICALS),
            element_segments: Count::new("element segments", ELEMENT_SEGMENTS),
            data_segments: Count::new("data segments", DATA_SEGMENTS),
            code_bytes: 0,
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the parser's enum is open, and what is not named makes no work"
    )]
    fn take(&mut self, payload: &Payload<'_>) -> Result<(), LoadError> {
        match payload {
            Payload::ComponentSection { .. } => {
                self.depth.add(1)?;
                self.components.add(1)
            }
            Payload::ModuleSection { .. } => {
                self.depth.found += 1;
                self.modules.add(1)
            }
            Payload::End(_) => {
                self.depth.found = self.depth.found.saturating_sub(1);
                Ok(())
            }
            Payload::InstanceSection(reader) => self.instances.add(reader.count().into()),
            Payload::ComponentInstanceSection(reader) => self.instances.add(reader.count().into()),
            Payload::TypeSection(reader) => self.type_bytes.add(reader.range().len() as u64),
            Payload::CoreTypeSection(reader) => self.type_bytes.add(reader.range().len() as u64),
            Payload::ComponentTypeSection(reader) => self.type_bytes.add(reader.range().len() as u64),
            Payload::FunctionSection(reader) => self.functions.add(reader.count().into()),
            Payload::TableSection(reader) => self.tables.add(reader.count().into()),
            Payload::MemorySection(reader) => self.memories.add(reader.count().into()),
            Payload::TagSection(reader) => self.tags.add(reader.count().into()),
            Payload::GlobalSection(reader) => self.globals.add(reader.count().into()),
            Payload::ImportSection(reader) => {
                self.name_bytes.add(reader.range().len() as u64)?;
                self.imports.add(reader.count().into())
            }
            Payload::ComponentImportSection(reader) => {
                self.name_bytes.add(reader.range().len() as u64)?;
                self.imports.add(reader.count().into())
            }
            Payload::ExportSection(reader) => {
                self.name_bytes.add(reader.range().len() as u64)?;
                self.exports.add(reader.count().into())
            }
            Payload::ComponentExportSection(reader) => {
                self.name_bytes.add(reader.range().len() as u64)?;
                self.exports.add(reader.count().into())
            }
            Payload::ComponentAliasSection(reader) => self.aliases.add(reader.count().into()),
            Payload::ComponentCanonicalSection(reader) => self.canonicals.add(reader.count().into()),
            Payload::ElementSection(reader) => self.element_segments.add(reader.count().into()),
            Payload::DataSection(reader) => self.data_segments.add(reader.count().into()),
            Payload::CodeSectionEntry(body) => {
                self.code_bytes += body.range().len() as u64;
                check_function(body)
            }
            _ => Ok(()),
        }
    }
}

/// Counts what is in one function.
fn check_function(body: &FunctionBody<'_>) -> Result<(), LoadError> {
    Count::new("bytes in one function", BODY_BYTES).add(body.range().len() as u64)?;
    let mut locals = Count::new("local variables in one function", LOCALS);
    for group in body.get_locals_reader().map_err(invalid)? {
        locals.add(group.map_err(invalid)?.0.into())?;
    }
    let mut blocks = Count::new("blocks in one function", BLOCKS);
    let mut depth = Count::new("levels of nested blocks in one function", BLOCK_DEPTH);
    let mut targets = Count::new("targets of branches in one function", BRANCH_TARGETS);
    let mut carried = Count::new("local variables times loops in one function", LOCALS_TIMES_LOOPS);
    for operator in body.get_operators_reader().map_err(invalid)? {
        let operator = operator.map_err(invalid)?;
        if matches!(operator, Operator::Loop { .. }) {
            carried.add(locals.found)?;
        }
        if matches!(
            operator,
            Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } | Operator::TryTable { .. }
        ) {
            blocks.add(1)?;
            depth.add(1)?;
        } else if matches!(operator, Operator::End) {
            depth.found = depth.found.saturating_sub(1);
        } else if let Operator::BrTable { targets: table } = operator {
            targets.add(table.len().into())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{ALLOW, wasm};

    fn checked(text: &str) -> Result<Contents, LoadError> {
        check(&wat::parse_str(text).expect(text))
    }

    #[test]
    fn each_bound_admits_what_is_as_much_and_refuses_one_more() {
        type Text<'t> = &'t dyn Fn(u64) -> String;
        let of = |item: &'static str| move |count: u64| format!("(module {})", item.repeat(count as usize));
        let in_function = |head: &'static str, tail: &'static str| {
            move |count: u64| format!("(module (func {} {}))", head.repeat(count as usize), tail.repeat(count as usize))
        };
        let nested =
            |depth: u64| format!("{}{}", "(component ".repeat(depth as usize + 1), ")".repeat(depth as usize + 1));
        let branches =
            |count: u64| format!("(module (func (param i32) local.get 0 br_table {} 0))", "0 ".repeat(count as usize));
        let instances = |count: u64| {
            format!("(component (core module $m) {})", "(core instance (instantiate $m))".repeat(count as usize))
        };
        let carried = |loops: u64| {
            format!("(module (func (local {}) {}))", "i32 ".repeat(1000), "loop end ".repeat(loops as usize))
        };
        let cases: [(&str, u64, Text<'_>); 12] = [
            ("levels of nested components", DEPTH, &nested),
            ("functions", FUNCTIONS, &of("(func)")),
            ("tables", TABLES, &of("(table 1 funcref)")),
            ("memories", MEMORIES, &of("(memory 1)")),
            ("globals", GLOBALS, &of("(global i32 i32.const 0)")),
            ("data segments", DATA_SEGMENTS, &of("(data)")),
            ("instances", INSTANCES, &instances),
            ("local variables in one function", LOCALS, &in_function("(local i32)", "")),
            ("blocks in one function", BLOCKS, &in_function("block end ", "")),
            ("levels of nested blocks in one function", BLOCK_DEPTH, &in_function("block ", "end ")),
            ("targets of branches in one function", BRANCH_TARGETS, &branches),
            ("local variables times loops in one function", LOCALS_TIMES_LOOPS / 1000, &carried),
        ];
        for (what, most, text) in cases {
            assert!(checked(&text(most)).is_ok(), "{what}: {:?}", checked(&text(most)));
            let error = checked(&text(most + 1)).expect_err(what);
            assert!(matches!(&error, LoadError::TooMuch { what: message, .. } if message == what), "{what}: {error}");
        }
    }

    #[test]
    fn code_is_counted_and_what_is_cut_off_is_told() {
        let bytes = wasm(ALLOW);
        assert!(check(&bytes).expect("is valid").code_bytes > 10);
        assert!(matches!(check(bytes.get(..bytes.len() / 2).expect("half")), Err(LoadError::Invalid(_))));
    }
}
