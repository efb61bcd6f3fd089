//! `portcullis check`

use std::path::Path;

use portcullis_config::{PolicyFile, Quota};
use portcullis_engine::{CompileRequest, Compiler, Grant, Grants, Inspection, Owner, Sandbox, SandboxConfig, When};
use portcullis_model::Limits;
use serde_json::json;

use crate::args::Check;
use crate::exit::Exit;
use crate::out::{self, fail, say};
use crate::setup::runtime;

pub(crate) fn run(args: &Check) -> Exit {
    let checked = check(args).and_then(|(inspection, problem)| {
        print(args, &inspection, problem.as_deref())?;
        if problem.is_some() { Err(Exit::Failed) } else { Ok(()) }
    });
    checked.into()
}

/// Loads it as the host would. Gives what is in it, and what the host would object to.
fn check(args: &Check) -> Result<(Inspection, Option<String>), Exit> {
    let grants = grants(args)?;
    let config = SandboxConfig { instances: 1, cache: None, compiler: Compiler::this_program() };
    let sandbox = Sandbox::new(&config);
    let sandbox = sandbox.map_err(|error| fail(Exit::Failed, error))?;
    let runtime = runtime()?;
    let bytes = read(&args.file)?;
    let beside = beside(&args.file)?;
    let order = CompileRequest { bytes: &bytes, owner: Owner::Host, when: When::Start, metered: false };
    let compiled = sandbox.compile(&order);
    let compiled = compiled.map_err(|error| fail(Exit::Failed, describe(&args.file, error)))?;
    let linked = compiled.link(grants);
    let probed = linked.and_then(|policy| runtime.block_on(policy.probe(&beside.settings, &Limits::default())));
    Ok((compiled.inspection().clone(), probed.err().map(|error| error.to_string())))
}

fn grants(args: &Check) -> Result<Grants, Exit> {
    let Some(names) = &args.grant else { return Ok(Grants::ALL) };
    let names = names.iter().map(|name| name.trim()).filter(|name| !name.is_empty());
    Grants::from_names(names).map_err(|unknown| fail(Exit::Usage, unknown))
}

/// What lies beside the policy, as it would in the host's folder: its settings.
fn beside(policy: &Path) -> Result<PolicyFile, Exit> {
    let path = policy.with_extension("toml");
    if !path.is_file() {
        return Ok(PolicyFile::default());
    }
    let text = std::fs::read_to_string(&path).map_err(|error| fail(Exit::Failed, describe(&path, error)))?;
    PolicyFile::read(&path, &text, &Quota::of_host()).map_err(|problems| fail(Exit::Failed, problems))
}

fn read(path: &Path) -> Result<Vec<u8>, Exit> {
    std::fs::read(path).map_err(|error| fail(Exit::Failed, describe(path, error)))
}

fn describe(path: &Path, what: impl std::fmt::Display) -> String {
    format!("{}: {what}", path.display())
}

fn print(args: &Check, inspection: &Inspection, problem: Option<&str>) -> Result<(), Exit> {
    if args.json {
        let imports: Vec<_> = inspection
            .imports
            .iter()
            .map(|import| json!({ "name": import.name, "grant": import.grant.map(Grant::name), "known": import.known }))
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
        return out::json(&report);
    }
    say!("file     {}", args.file.display());
    say!("digest   {}", inspection.digest);
    say!("size     {} bytes, {}", inspection.size, kind(inspection));
    for import in &inspection.imports {
        let note = match (import.known, import.grant) {
            (false, _) => "  (this host does not have it)".to_owned(),
            (true, Some(grant)) => format!("  (needs the grant `{}`)", grant.name()),
            (true, None) => String::new(),
        };
        say!("imports  {}{note}", import.name);
    }
    for export in &inspection.exports {
        say!("exports  {export}");
    }
    match problem {
        Some(problem) => say!("refused  {problem}"),
        None => say!("loads    yes"),
    }
    Ok(())
}

fn kind(inspection: &Inspection) -> &'static str {
    if inspection.core_module { "core module" } else { "component" }
}
