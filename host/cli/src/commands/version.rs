//! `portcullis version`

use portcullis_admin::version::Version as Own;

use crate::args::Version;
use crate::exit::Exit;
use crate::out::{self, say};

pub(crate) fn run(args: &Version) -> Exit {
    let own = Own::own();
    if args.json {
        return Exit::from(out::json(&own));
    }
    let Own { portcullis, contract, sandbox } = own;
    say!("portcullis {portcullis}\ncontract   {contract}\nsandbox    {sandbox}");
    Exit::Done
}
