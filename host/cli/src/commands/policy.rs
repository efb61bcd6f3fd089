//! `portcullis policy`

use std::path::Path;

use hyper::Method;
use portcullis_status::status::PolicyStatus;
use serde::Deserialize;
use serde_json::Value;

use crate::admin::{Call, escaped};
use crate::args::{Policy, PolicyGet, PolicyLs, PolicyPut, PolicyRm, Whose};
use crate::commands::policy_config;
use crate::exit::Exit;
use crate::out::{self, fail, say};
use crate::patience::Patience;
use crate::table::{Align, Table};

#[derive(Deserialize)]
struct Policies {
    policies: Vec<PolicyStatus>,
}

pub(crate) fn run(args: &Policy) -> Exit {
    Exit::from(match args {
        Policy::Ls(args) => list(args),
        Policy::Put(args) => put(args),
        Policy::Get(args) => get(args),
        Policy::Rm(args) => remove(args),
        Policy::Config(args) => policy_config::config(args),
        Policy::Mode(args) => policy_config::mode(args),
        Policy::Settings(args) => policy_config::settings(args),
    })
}

fn list(args: &PolicyLs) -> Result<(), Exit> {
    let call = Call::new(Method::GET, folder(&args.whose));
    if args.json {
        return out::json(&call.json::<Value>(&args.whose.host)?);
    }
    let found: Policies = call.json(&args.whose.host)?;
    let mut table =
        Table::new(&[("POLICY", Align::Left), ("DIGEST", Align::Left), ("MODE", Align::Left), ("STATE", Align::Left)]);
    for policy in &found.policies {
        table.row([
            policy.name.clone(),
            policy.digest.clone().unwrap_or_else(|| "-".to_owned()),
            policy.mode().to_owned(),
            policy.broken.as_ref().map_or_else(|| "active".to_owned(), |problem| format!("broken: {problem}")),
        ]);
    }
    table.print();
    Ok(())
}

fn put(args: &PolicyPut) -> Result<(), Exit> {
    let file = &args.file;
    let bytes = std::fs::read(file).map_err(|error| fail(Exit::Failed, format_args!("{}: {error}", file.display())))?;
    let name = args.name.clone().or_else(|| name_of(file));
    let name =
        name.ok_or_else(|| fail(Exit::Usage, "the file has no name that could be the policy's; give `--name`"))?;
    let call = Call::new(Method::PUT, place(&args.whose, &name))
        .if_match(args.if_match.as_ref())
        .body(bytes)
        .patience(Patience::LONG);
    let answer: Value = call.json(&args.whose.host)?;
    if args.json {
        out::json(&answer)?;
    } else {
        let text = |key| answer.get(key).and_then(Value::as_str).unwrap_or_default();
        let generation = answer.get("generation").and_then(Value::as_u64).unwrap_or_default();
        say!("{} is active since generation {generation}: {}", text("name"), text("digest"));
    }
    Ok(())
}

fn get(args: &PolicyGet) -> Result<(), Exit> {
    let call = Call::new(Method::GET, place(&args.whose, &args.name)).header("accept", "application/wasm");
    let bytes = call.send(&args.whose.host)?;
    if args.output.as_os_str() == "-" {
        out::bytes(&bytes);
        return Ok(());
    }
    let written = std::fs::write(&args.output, &bytes);
    written.map_err(|error| fail(Exit::Failed, format_args!("{}: {error}", args.output.display())))
}

fn remove(args: &PolicyRm) -> Result<(), Exit> {
    let call = Call::new(Method::DELETE, place(&args.whose, &args.name)).if_match(args.if_match.as_ref());
    call.send(&args.whose.host).map(drop)
}

fn folder(whose: &Whose) -> String {
    match &whose.tenant {
        Some(tenant) => format!("/v1/tenants/{}/policies", escaped(tenant)),
        None => "/v1/policies".to_owned(),
    }
}

pub(crate) fn place(whose: &Whose, name: &str) -> String {
    format!("{}/{}", folder(whose), escaped(name))
}

fn name_of(file: &Path) -> Option<String> {
    Some(file.file_stem()?.to_str()?.to_owned())
}
