//! `portcullis policy config`, `mode` and `settings`

use hyper::Method;
use serde_json::{Value, json};

use crate::admin::Call;
use crate::args::{Mode, PolicyConfig, PolicyConfigGet, PolicyConfigRm, PolicyConfigSet, PolicyMode, PolicySettings};
use crate::commands::policy::place;
use crate::commands::read_request;
use crate::exit::Exit;
use crate::out::{self, say};

pub(crate) fn config(args: &PolicyConfig) -> Result<(), Exit> {
    match args {
        PolicyConfig::Get(args) => get(args),
        PolicyConfig::Set(args) => set(args),
        PolicyConfig::Rm(args) => remove(args),
    }
}

fn get(PolicyConfigGet { whose, name, effective }: &PolicyConfigGet) -> Result<(), Exit> {
    let query = if *effective { "?effective=true" } else { "" };
    let says: Value = Call::new(Method::GET, format!("{}/config{query}", place(whose, name))).json(&whose.host)?;
    out::json(&says)
}

fn set(PolicyConfigSet { whose, name, file, merge, if_match }: &PolicyConfigSet) -> Result<(), Exit> {
    let method = if *merge { Method::PATCH } else { Method::PUT };
    let call = Call::new(method, format!("{}/config", place(whose, name))).header("content-type", "application/json");
    print(&call.if_match(if_match.as_ref()).body(read_request(file)?).json(&whose.host)?);
    Ok(())
}

fn remove(PolicyConfigRm { whose, name, if_match }: &PolicyConfigRm) -> Result<(), Exit> {
    let call = Call::new(Method::DELETE, format!("{}/config", place(whose, name)));
    call.if_match(if_match.as_ref()).send(&whose.host).map(drop)
}

pub(crate) fn mode(PolicyMode { whose, name, mode, if_match }: &PolicyMode) -> Result<(), Exit> {
    let mode = match mode {
        Mode::Enforce => "enforce",
        Mode::Observe => "observe",
    };
    let call = Call::new(Method::PUT, format!("{}/mode", place(whose, name))).if_match(if_match.as_ref());
    print(&call.body(json!({ "mode": mode }).to_string().into_bytes()).json(&whose.host)?);
    Ok(())
}

pub(crate) fn settings(PolicySettings { whose, name, file, if_match }: &PolicySettings) -> Result<(), Exit> {
    let path = format!("{}/settings", place(whose, name));
    let Some(file) = file else {
        let settings: Value = Call::new(Method::GET, path).json(&whose.host)?;
        return out::json(&settings);
    };
    let call = Call::new(Method::PUT, path).if_match(if_match.as_ref());
    print(&call.body(read_request(file)?).json(&whose.host)?);
    Ok(())
}

fn print(answer: &Value) {
    let text = |key| answer.get(key).and_then(Value::as_str).unwrap_or_default();
    let generation = answer.get("generation").and_then(Value::as_u64).unwrap_or_default();
    if answer.get("active").and_then(Value::as_bool) == Some(true) {
        say!("the configuration of {} is active since generation {generation}: {}", text("name"), text("tag"));
    } else {
        say!("the configuration of {} waits for the policy: {}", text("name"), text("tag"));
    }
}
