//! `portcullis state`

use hyper::Method;
use portcullis_admin::keys::{KeyStatus, KeyValue, Keys};
use portcullis_admin::state::{Cleared, Reset, StateStatus};
use portcullis_model::TenantName;
use portcullis_model::printable::escape;
use portcullis_state::backup;

use crate::admin::{Call, escaped};
use crate::args::{Origin, State, StateBackup, StateClear, StateGet, StateLs, StateReset};
use crate::exit::Exit;
use crate::out::{self, fail, say};
use crate::setup::read_config;
use crate::table::{Align, Table};

pub(crate) fn run(args: &State) -> Exit {
    Exit::from(match args {
        State::Ls(args) => match &args.policy {
            Some(policy) => list_keys(args, policy),
            None => list(args),
        },
        State::Get(args) => get(args),
        State::Backup(args) => back_up(args),
        State::Clear(args) => clear(args),
        State::Reset(args) => reset(args),
    })
}

fn back_up(args: &StateBackup) -> Result<(), Exit> {
    let dir = read_config(&args.dir.config)?.state_dir;
    let bytes = backup(&dir, &args.file).map_err(|error| fail(Exit::Failed, error))?;
    say!("{}: {bytes} bytes of {}", args.file.display(), dir.display());
    Ok(())
}

fn list(args: &StateLs) -> Result<(), Exit> {
    let path = match &args.tenant {
        Some(tenant) => format!("/v1/tenants/{}/state", escaped(tenant)),
        None => "/v1/state".to_owned(),
    };
    let status: StateStatus = Call::new(Method::GET, path).json(&args.host)?;
    if args.json {
        out::json(&status)?;
    } else {
        table(&status).print();
    }
    match status.problem {
        Some(problem) => Err(fail(Exit::Failed, problem)),
        None => Ok(()),
    }
}

fn table(status: &StateStatus) -> Table {
    use Align::{Left, Right};
    let mut table =
        Table::new(&[("TENANT", Left), ("POLICY", Left), ("WHOSE", Left), ("KEYS", Right), ("BYTES", Right)]);
    for space in &status.spaces {
        let (keys, bytes) = (space.keys.to_string(), space.bytes.to_string());
        table.row([space.tenant.clone(), space.policy.clone(), space.origin.clone(), keys, bytes]);
    }
    table
}

/// All pages of them.
fn list_keys(args: &StateLs, policy: &str) -> Result<(), Exit> {
    let space = space(args.tenant.as_deref().unwrap_or(TenantName::DEFAULT), args.origin, policy);
    let mut all = Keys { keys: Vec::new(), next: None };
    loop {
        let after = all.next.as_ref().map(|after| format!("?after={}", escaped(after))).unwrap_or_default();
        let page: Keys = Call::new(Method::GET, format!("{space}{after}")).json(&args.host)?;
        all.keys.extend(page.keys);
        all.next = page.next;
        if all.next.is_none() {
            break;
        }
    }
    if args.json {
        return out::json(&all);
    }
    let mut table = Table::new(&[("KEY", Align::Left), ("BYTES", Align::Right)]);
    for KeyStatus { key, bytes } in all.keys {
        table.row([key, bytes.to_string()]);
    }
    table.print();
    Ok(())
}

fn get(args: &StateGet) -> Result<(), Exit> {
    let path = format!("{}/keys/{}", space(&args.tenant, args.origin, &args.policy), escaped(&args.key));
    let value: KeyValue = Call::new(Method::GET, path).json(&args.host)?;
    if args.json {
        return out::json(&value);
    }
    let KeyValue { key, bytes, base64, counter, text } = value;
    say!("key      {}\nbytes    {bytes}", escape(&key));
    // Whatever has 8 bytes may be a counter; one that was counted up is hardly a text.
    if let Some(counter) = counter {
        say!("counter  {counter}");
    }
    if let Some(text) = text {
        say!("text     {}", escape(&text));
    }
    say!("base64   {base64}");
    Ok(())
}

fn space(tenant: &str, origin: Origin, policy: &str) -> String {
    let origin = match origin {
        Origin::Host => "host",
        Origin::Tenant => "tenant",
    };
    format!("/v1/tenants/{}/state/{origin}/{}", escaped(tenant), escaped(policy))
}

fn clear(args: &StateClear) -> Result<(), Exit> {
    let path = match (&args.policy, &args.key) {
        (None, _) => format!("/v1/tenants/{}/state", escaped(&args.tenant)),
        (Some(policy), None) => space(&args.tenant, args.origin, policy),
        (Some(policy), Some(key)) => format!("{}/keys/{}", space(&args.tenant, args.origin, policy), escaped(key)),
    };
    let cleared: Cleared = Call::new(Method::DELETE, path).json(&args.host)?;
    if args.json {
        return out::json(&cleared);
    }
    let Cleared { keys, bytes } = cleared;
    say!("cleared {keys} keys, {bytes} bytes");
    Ok(())
}

fn reset(args: &StateReset) -> Result<(), Exit> {
    let reset: Reset = Call::new(Method::POST, "/v1/state/reset").json(&args.host)?;
    if args.json {
        return out::json(&reset);
    }
    let Reset { given_up } = reset;
    if given_up.is_empty() {
        say!("nothing was set aside");
    }
    for file in given_up {
        say!("given up: {file}");
    }
    Ok(())
}
