//! `portcullis version`

use serde_json::json;

use crate::args::Version;
use crate::exit::Exit;

pub(crate) fn run(args: &Version) -> Exit {
    let (version, contract, sandbox) =
        (env!("CARGO_PKG_VERSION"), portcullis_engine::CONTRACT, portcullis_engine::RUNTIME);
    if args.json {
        println!("{:#}", json!({ "portcullis": version, "contract": contract, "sandbox": sandbox }));
    } else {
        println!("portcullis {version}\ncontract   {contract}\nsandbox    {sandbox}");
    }
    Exit::Done
}
