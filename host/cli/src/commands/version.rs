//! `portcullis version`

use portcullis_daemon::version::Version as Own;

use crate::args::Version;
use crate::commands::print_json;
use crate::exit::Exit;

pub(crate) fn run(args: &Version) -> Exit {
    let own = Own::own();
    if args.json {
        return Exit::from(print_json(&own));
    }
    let Own { portcullis, contract, sandbox } = own;
    println!("portcullis {portcullis}\ncontract   {contract}\nsandbox    {sandbox}");
    Exit::Done
}
