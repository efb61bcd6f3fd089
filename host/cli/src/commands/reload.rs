//! `portcullis reload`

use hyper::Method;
use portcullis_admin::reload::Reloaded;

use crate::admin::Call;
use crate::args::Reload;
use crate::exit::Exit;
use crate::out::{self, say};
use crate::patience::Patience;

pub(crate) fn run(args: &Reload) -> Exit {
    reload(args).into()
}

fn reload(args: &Reload) -> Result<(), Exit> {
    let reloaded: Reloaded = Call::new(Method::POST, "/v1/reload").patience(Patience::LONG).json(&args.host)?;
    if args.json {
        out::json(&reloaded)?;
    } else {
        print(&reloaded);
    }
    if reloaded.is_whole { Ok(()) } else { Err(Exit::Failed) }
}

fn print(reloaded: &Reloaded) {
    let Reloaded { generation, refused, needs_restart, .. } = reloaded;
    say!("generation {generation} is active");
    for finding in refused {
        say!("refused: {}", finding.to_string().replace('\n', "\n  "));
    }
    if !needs_restart.is_empty() {
        say!("takes a restart: {}", needs_restart.join(", "));
    }
}
