//! The crates depend on each other as the drawing in `ARCHITECTURE.md` says, and what is in each of them goes one way.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use portcullis_tests::error::Doing;
use portcullis_tests::{Error, Result};

/// Lines of a crate outside its tests.
const MOST_LINES: usize = 5_000;

/// Who uses whom.
type Graph = BTreeMap<String, BTreeSet<String>>;

/// One file of a crate.
struct Source {
    /// The module, from the crate's root.
    module: Vec<String>,
    /// Without comments and tests.
    code: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).doing_to("reading", path)
}

/// The block of ARCHITECTURE.md that begins with this line.
fn block(begin: &str) -> Result<String> {
    let text = read(&root().join("ARCHITECTURE.md"))?;
    let block = text.split_once(begin).and_then(|(_, block)| block.split_once("```"));
    block
        .map(|(block, _)| block.to_owned())
        .ok_or_else(|| Error::Unexpected(format!("no `{begin}` in ARCHITECTURE.md")))
}

/// The arrows of the drawing.
fn drawn() -> Result<Graph> {
    let mut graph = Graph::new();
    for line in block("```mermaid\nflowchart TD\n")?.lines() {
        let Some((from, to)) = line.split_once("-->") else { continue };
        let to = to.split('&').map(|name| name.trim().to_owned());
        graph.entry(from.trim().to_owned()).or_default().extend(to);
    }
    Ok(graph)
}

/// The folders of `host`, and which of them each names in its Cargo.toml, for tests too.
fn crates() -> Result<Graph> {
    let mut graph = Graph::new();
    let host = root().join("host");
    for entry in fs::read_dir(&host).doing_to("listing", &host)? {
        let folder = entry.doing("listing host")?.path();
        let manifest = folder.join("Cargo.toml");
        if !manifest.is_file() {
            continue;
        }
        let used = read(&manifest)?
            .lines()
            .filter_map(|line| line.strip_prefix("portcullis-")?.split_once(['.', ' ']))
            .map(|(name, _)| name.to_owned())
            .collect();
        graph.insert(name(&folder), used);
    }
    Ok(graph)
}

fn name(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// Everything that can be come to from here.
fn reached(graph: &Graph, from: &str) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut next = vec![from];
    while let Some(name) = next.pop() {
        let further = graph.get(name).into_iter().flatten();
        next.extend(further.filter(|name| reached.insert((*name).clone())).map(String::as_str));
    }
    reached
}

/// Nodes from which one can come back.
fn cycle(graph: &Graph) -> Vec<&str> {
    graph.keys().map(String::as_str).filter(|name| reached(graph, name).contains(*name)).collect()
}

#[test]
fn crates_depend_on_each_other_as_it_is_drawn() -> Result<()> {
    let (drawn, crates) = (drawn()?, crates()?);
    assert_eq!(cycle(&drawn), [""; 0], "the drawing goes round");
    for (name, used) in &crates {
        let may = reached(&drawn, name);
        let not_drawn: Vec<_> = used.iter().filter(|used| !may.contains(*used)).collect();
        assert!(not_drawn.is_empty(), "`{name}` depends on {not_drawn:?}, and no arrow of ARCHITECTURE.md leads there");
    }
    for (name, to) in &drawn {
        let used = crates.get(name).expect("only crates are drawn");
        let unused: Vec<_> = to.difference(used).collect();
        assert!(unused.is_empty(), "ARCHITECTURE.md draws an arrow from `{name}` to {unused:?}, which it does not use");
    }
    Ok(())
}

#[test]
fn the_drawing_and_its_text_say_the_same() -> Result<()> {
    let crates = crates()?;
    let text = block("```text\ncli\n")?;
    let rows: Vec<Vec<&str>> =
        ["cli"].into_iter().chain(text.lines()).map(|line| line.split_whitespace().collect()).collect();
    let mut named: Vec<_> = rows.iter().flatten().copied().collect();
    named.sort_unstable();
    assert_eq!(named, crates.keys().map(String::as_str).collect::<Vec<_>>(), "each crate stands in one line");
    let row = |name: &str| rows.iter().position(|row| row.contains(&name));
    for (name, used) in &crates {
        for used in used {
            assert!(row(name) < row(used), "`{name}` uses `{used}`, which stands in no line below its own");
        }
    }
    let described = read(&root().join("ARCHITECTURE.md"))?;
    for name in crates.keys() {
        assert!(described.contains(&format!("\n| `{name}` | ")), "ARCHITECTURE.md does not say what `{name}` is");
    }
    Ok(())
}

#[test]
fn no_crate_is_too_large() -> Result<()> {
    for name in crates()?.keys() {
        let lines: usize = sources(name)?.iter().map(|source| source.code.lines().count()).sum();
        assert!(lines <= MOST_LINES, "`{name}` has {lines} lines outside tests; cut it");
    }
    Ok(())
}

/// What is in one folder belongs together, and may go round there.
#[test]
fn modules_of_a_crate_import_each_other_in_one_direction() -> Result<()> {
    let mut wrong = Vec::new();
    for name in crates()?.keys() {
        let graph = modules(&sources(name)?);
        for module in cycle(&graph) {
            let back: Vec<_> = graph[module].iter().filter(|other| reached(&graph, other).contains(module)).collect();
            wrong.push(format!("{name}: `{module}` imports {back:?}, and can be come to from there"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[test]
fn paths_of_a_use_are_found() {
    let paths = |code: &str| paths(code).into_iter().map(|path| path.join("::")).collect::<Vec<_>>();
    assert_eq!(
        paths("use crate::a::{self, B, c::{D, E as F}};"),
        ["crate::a", "crate::a::B", "crate::a::c::D", "crate::a::c::E"]
    );
    assert_eq!(
        paths("pub(crate) use super::x;\nfn f() -> crate::y::Z { super::g() }"),
        ["super::x", "crate::y::Z", "super::g"]
    );
}

/// The sources of a crate but for files of tests.
fn sources(name: &str) -> Result<Vec<Source>> {
    let src = root().join("host").join(name).join("src");
    let mut sources = Vec::new();
    let mut folders = vec![src.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).doing_to("listing", &folder)? {
            let path = entry.doing("listing a folder")?.path();
            let is_test = matches!(&*self::name(&path), "tests" | "testing" | "properties");
            if path.is_dir() && !is_test {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") && !is_test {
                sources.push(Source::of(&src, &path)?);
            }
        }
    }
    Ok(sources)
}

// === impl Source ===

impl Source {
    fn of(src: &Path, path: &Path) -> Result<Self> {
        let relative = path.strip_prefix(src).unwrap_or(path).with_extension("");
        let mut module: Vec<_> = relative.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        if matches!(module.last().map(String::as_str), Some("mod" | "lib" | "main")) {
            module.pop();
        }
        let text = read(path)?;
        let text = text.split_once("#[cfg(test)]\nmod tests {").map_or(&*text, |(code, _)| code);
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//")).map(|line| format!("{line}\n"));
        Ok(Self { module, code: code.collect() })
    }

    /// The modules of its crate's root that it names, as paths from there.
    fn imports(&self) -> Vec<Vec<String>> {
        let from_root = |path: Vec<String>| {
            let up = path.iter().take_while(|part| *part == "super").count();
            let kept = match path.first().map(String::as_str) {
                Some("crate") => 0,
                Some("self") => self.module.len(),
                _ => self.module.len().saturating_sub(up),
            };
            self.module.iter().take(kept).chain(path.iter().skip(up.max(1))).cloned().collect()
        };
        paths(&self.code).into_iter().map(from_root).collect()
    }
}

/// Who imports whom of the modules in a crate's root. What the root exports of a module is that module's.
fn modules(sources: &[Source]) -> Graph {
    let names: BTreeSet<_> = sources.iter().filter_map(|source| source.module.first().cloned()).collect();
    let mut exported = BTreeMap::new();
    for root in sources.iter().filter(|source| source.module.is_empty()) {
        for statement in statements(&root.code) {
            for path in expanded(statement) {
                let path: Vec<_> = path.into_iter().skip_while(|part| part == "crate" || part == "self").collect();
                if let (Some(module), Some(item)) = (path.first(), path.last())
                    && names.contains(module)
                    && path.len() > 1
                {
                    exported.insert(item.clone(), module.clone());
                }
            }
        }
    }
    let mut graph = Graph::new();
    for source in sources {
        let Some(own) = source.module.first() else { continue };
        let named = source.imports().into_iter().filter_map(|path| path.into_iter().next());
        let modules = named.filter_map(|name| names.get(&name).or_else(|| exported.get(&name)).cloned());
        graph.entry(own.clone()).or_default().extend(modules.filter(|module| module != own));
    }
    graph
}

/// What stands between `use` and `;`.
fn statements(code: &str) -> Vec<&str> {
    let begins = |line: &str| {
        let public =
            line.strip_prefix("pub").map(|rest| rest.trim_start_matches("(crate)").trim_start_matches("(super)"));
        public.unwrap_or(line).trim_start().starts_with("use ")
    };
    let mut statements = Vec::new();
    let mut at = 0;
    for line in code.split_inclusive('\n') {
        if begins(line.trim_start())
            && let Some((_, tree)) = code.get(at..).and_then(|rest| rest.split_once("use "))
            && let Some((tree, _)) = tree.split_once(';')
        {
            statements.push(tree);
        }
        at += line.len();
    }
    statements
}

/// The paths of a tree of `use`.
fn expanded(tree: &str) -> Vec<Vec<String>> {
    let tree = tree.trim();
    let Some((before, inner)) = tree.split_once('{') else {
        let path = tree.split(" as ").next().unwrap_or_default();
        let parts = path.split("::").map(|part| part.trim().to_owned());
        return vec![parts.filter(|part| !part.is_empty()).collect()];
    };
    let before: Vec<String> =
        before.split("::").map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect();
    let inner = inner.strip_suffix('}').unwrap_or(inner);
    let (mut depth, mut begin, mut found) = (0_u32, 0, Vec::new());
    for (at, character) in inner.char_indices().chain([(inner.len(), ',')]) {
        match character {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                for rest in
                    expanded(inner.get(begin..at).unwrap_or_default()).into_iter().filter(|rest| !rest.is_empty())
                {
                    let rest = rest.into_iter().filter(|part| part != "self");
                    found.push(before.iter().cloned().chain(rest).collect());
                }
                begin = at + 1;
            }
            _ => {}
        }
    }
    found
}

/// All paths that begin with `crate`, `self` or `super`: of statements, and in the code.
fn paths(code: &str) -> Vec<Vec<String>> {
    let is_local = |path: &Vec<String>| matches!(path.first().map(String::as_str), Some("crate" | "self" | "super"));
    let mut paths: Vec<_> = statements(code).into_iter().flat_map(expanded).filter(is_local).collect();
    let mut rest = code.to_owned();
    for statement in statements(code) {
        rest = rest.replace(&format!("use {statement};"), "");
    }
    let is_part = |character: char| character.is_alphanumeric() || character == '_' || character == ':';
    for word in rest.split(|character| !is_part(character)).filter(|word| word.contains("::")) {
        let path: Vec<_> = word.trim_matches(':').split("::").map(str::to_owned).collect();
        if is_local(&path) && path.first().is_some_and(|first| first != "self") {
            paths.push(path);
        }
    }
    paths
}
