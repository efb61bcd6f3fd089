//! `portcullis data`

use std::path::Path;

use hyper::Method;
use serde::Deserialize;
use serde_json::Value;

use crate::admin::{Call, escaped};
use crate::args::{Data, DataGet, DataLs, DataPatch, DataPut, DataTarget, WhoseData};
use crate::commands::read_request;
use crate::exit::Exit;
use crate::out::{self, fail, say};
use crate::table::{Align, Table};

#[derive(Deserialize)]
struct Documents {
    documents: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    name: String,
    etag: Option<String>,
    bytes: Option<u64>,
    problem: Option<String>,
}

pub(crate) fn run(args: &Data) -> Exit {
    Exit::from(match args {
        Data::Ls(args) => list(args),
        Data::Get(args) => get(args),
        Data::Put(args) => put(args),
        Data::Patch(args) => patch(args),
        Data::Rm(args) => change(Method::DELETE, &args.place, |call| call),
    })
}

fn list(args: &DataLs) -> Result<(), Exit> {
    let call = Call::new(Method::GET, format!("{}?list", folder(&args.whose)));
    if args.json {
        return out::json(&call.json::<Value>(&args.whose.host)?);
    }
    let found: Documents = call.json(&args.whose.host)?;
    let columns = [("DOCUMENT", Align::Left), ("BYTES", Align::Right), ("TAG", Align::Left), ("STATE", Align::Left)];
    let mut table = Table::new(&columns);
    for Listed { name, etag, bytes, problem } in found.documents {
        let state = match (&etag, problem) {
            (_, None) => "active".to_owned(),
            (Some(_), Some(problem)) => format!("the last good one is active: {problem}"),
            (None, Some(problem)) => format!("broken: {problem}"),
        };
        let bytes = bytes.map_or_else(|| "-".to_owned(), |bytes| bytes.to_string());
        table.row([name, bytes, etag.unwrap_or_else(|| "-".to_owned()), state]);
    }
    table.print();
    Ok(())
}

fn get(args: &DataGet) -> Result<(), Exit> {
    let json = Call::new(Method::GET, place(&args.whose, &args.pointer)?).send(&args.whose.host)?;
    // A host answers in UTF-8.
    out::json_text(&String::from_utf8_lossy(&json));
    Ok(())
}

fn put(args: &DataPut) -> Result<(), Exit> {
    let bytes = read_request(&args.file)?;
    let kind = if is_yaml(&args.file) { "application/yaml" } else { "application/json" };
    change(Method::PUT, &args.place, |call| call.header("content-type", kind).body(bytes))
}

fn patch(args: &DataPatch) -> Result<(), Exit> {
    let bytes = read_request(&args.file)?;
    let kind = if args.merge { "application/merge-patch+json" } else { "application/json-patch+json" };
    change(Method::PATCH, &args.place, |call| call.header("content-type", kind).body(bytes))
}

/// Makes a change, and says since when it is active.
fn change(method: Method, at: &DataTarget, arrange: impl FnOnce(Call) -> Call) -> Result<(), Exit> {
    if at.pointer.is_empty() {
        return Err(fail(Exit::Usage, "all documents at once cannot be changed; name one, such as `/users`"));
    }
    let call = Call::new(method, place(&at.whose, &at.pointer)?).if_match(at.if_match.as_ref());
    let answer: Value = arrange(call).json(&at.whose.host)?;
    if at.json {
        return out::json(&answer);
    }
    let text = |key| answer.get(key).and_then(Value::as_str);
    let generation = answer.get("generation").and_then(Value::as_u64).unwrap_or_default();
    let name = text("name").unwrap_or_default();
    match text("etag") {
        Some(tag) => say!("{name} is active since generation {generation}: {tag}"),
        None => say!("{name} is removed since generation {generation}"),
    }
    Ok(())
}

fn folder(whose: &WhoseData) -> String {
    match &whose.tenant {
        Some(tenant) => format!("/v1/tenants/{}/data", escaped(tenant)),
        None => "/v1/data".to_owned(),
    }
}

/// A pointer as a path: each of its tokens is one part.
fn place(whose: &WhoseData, pointer: &str) -> Result<String, Exit> {
    if !pointer.is_empty() && !pointer.starts_with('/') {
        let hint = format!("`{pointer}` is no JSON pointer; did you mean `/{pointer}`?");
        return Err(fail(Exit::Usage, hint));
    }
    let tokens: Vec<_> = pointer.split('/').map(escaped).collect();
    Ok(format!("{}{}", folder(whose), tokens.join("/")))
}

fn is_yaml(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
}
