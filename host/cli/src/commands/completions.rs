//! `portcullis completions`

use clap::CommandFactory;

use crate::args::{Args, Completions};
use crate::exit::Exit;

pub(crate) fn run(args: &Completions) -> Exit {
    let mut command = Args::command();
    let name = command.get_name().to_owned();
    clap_complete::generate(args.shell, &mut command, name, &mut std::io::stdout());
    Exit::Done
}
