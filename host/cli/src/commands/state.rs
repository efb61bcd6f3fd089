//! `portcullis state`

use hyper::Method;
use portcullis_daemon::admin::state::{Cleared, Reset, StateStatus};

use crate::admin::{Call, escaped};
use crate::args::{Origin, State, StateClear, StateLs, StateReset};
use crate::exit::{Exit, fail};
use crate::table::{Align, Table};

pub(crate) fn run(args: &State) -> Exit {
    Exit::from(match args {
        State::Ls(args) => list(args),
        State::Clear(args) => clear(args),
        State::Reset(args) => reset(args),
    })
}

fn list(args: &StateLs) -> Result<(), Exit> {
    let path = match &args.tenant {
        Some(tenant) => format!("/v1/tenants/{}/state", escaped(tenant)),
        None => "/v1/state".to_owned(),
    };
    let status: StateStatus = Call::new(Method::GET, path).json(&args.host)?;
    if args.json {
        let json = serde_json::to_string_pretty(&status).map_err(|error| fail(Exit::Failed, error))?;
        println!("{json}");
    } else {
        table(&status).print().map_err(|error| fail(Exit::Failed, error))?;
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

fn clear(args: &StateClear) -> Result<(), Exit> {
    let tenant = format!("/v1/tenants/{}/state", escaped(&args.tenant));
    let path = match (&args.policy, args.origin) {
        (None, _) => tenant,
        (Some(policy), Origin::Host) => format!("{tenant}/host/{}", escaped(policy)),
        (Some(policy), Origin::Tenant) => format!("{tenant}/tenant/{}", escaped(policy)),
    };
    let Cleared { keys, bytes } = Call::new(Method::DELETE, path).json(&args.host)?;
    println!("cleared {keys} keys, {bytes} bytes");
    Ok(())
}

fn reset(args: &StateReset) -> Result<(), Exit> {
    let Reset { given_up } = Call::new(Method::POST, "/v1/state/reset").json(&args.host)?;
    if given_up.is_empty() {
        println!("nothing was set aside");
    }
    for file in given_up {
        println!("given up: {file}");
    }
    Ok(())
}
