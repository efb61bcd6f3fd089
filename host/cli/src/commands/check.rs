//! `portcullis check`

use std::path::Path;

use portcullis_engine::{Compiler, Grants, Inspection, Order, Owner, Sandbox, SandboxConfig, When};
use portcullis_model::Limits;
use serde_json::json;

use crate::args::Check;
use crate::commands::runtime;
use crate::exit::{Exit, fail};

pub(crate) fn run(args: &Check) -> Exit {
    match check(args) {
        Ok((inspection, problem)) => {
            print(args, &inspection, problem.as_deref());
            if problem.is_some() { Exit::Failed } else { Exit::Done }
        }
        Err(exit) => exit,
    }
}

/// Loads it as the host would. Gives what is in it, and what the host would object to.
fn check(args: &Check) -> Result<(Inspection, Option<String>), Exit> {
    let grants = grants(args)?;
    let config = SandboxConfig { instances: 1, cache: None, compiler: Compiler::this_program() };
    let sandbox = Sandbox::new(&config);
    let sandbox = sandbox.map_err(|error| fail(Exit::Failed, error))?;
    let runtime = runtime()?;
    let bytes = read(&args.file)?;
    let order = Order { bytes: &bytes, owner: Owner::Host, when: When::Start, metered: false };
    let compiled = sandbox.compile(&order);
    let compiled = compiled.map_err(|error| fail(Exit::Failed, describe(&args.file, error)))?;
    let linked = compiled.link(grants);
    let probed = linked.and_then(|policy| runtime.block_on(policy.probe(&Limits::default())));
    Ok((compiled.inspection().clone(), probed.err().map(|error| error.to_string())))
}

fn grants(args: &Check) -> Result<Grants, Exit> {
    let Some(names) = &args.grant else { return Ok(Grants::ALL) };
    let names = names.iter().map(|name| name.trim()).filter(|name| !name.is_empty());
    Grants::from_names(names).map_err(|unknown| fail(Exit::Usage, unknown))
}

fn read(path: &Path) -> Result<Vec<u8>, Exit> {
    std::fs::read(path).map_err(|error| fail(Exit::Failed, describe(path, error)))
}

fn describe(path: &Path, what: impl std::fmt::Display) -> String {
    format!("{}: {what}", path.display())
}

fn print(args: &Check, inspection: &Inspection, problem: Option<&str>) {
    if args.json {
        let imports: Vec<_> = inspection
            .imports
            .iter()
            .map(|import| json!({ "name": import.name, "grant": import.grant, "known": import.known }))
            .collect();
        let report = json!({
            "file": args.file.display().to_string(),
            "loads": problem.is_none(),
            "problem": problem,
            "digest": inspection.digest.to_string(),
            "size": inspection.size,
            "kind": kind(inspection),
            "imports": imports,
            "exports": inspection.exports,
        });
        println!("{report:#}");
        return;
    }
    println!("file     {}", args.file.display());
    println!("digest   {}", inspection.digest);
    println!("size     {} bytes, {}", inspection.size, kind(inspection));
    for import in &inspection.imports {
        let note = match (import.known, import.grant) {
            (false, _) => "  (this host does not have it)".to_owned(),
            (true, Some(grant)) => format!("  (needs the grant `{grant}`)"),
            (true, None) => String::new(),
        };
        println!("imports  {}{note}", import.name);
    }
    for export in &inspection.exports {
        println!("exports  {export}");
    }
    match problem {
        Some(problem) => println!("refused  {problem}"),
        None => println!("loads    yes"),
    }
}

fn kind(inspection: &Inspection) -> &'static str {
    if inspection.core_module { "core module" } else { "component" }
}
