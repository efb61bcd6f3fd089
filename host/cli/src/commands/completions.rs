//! `portcullis completions`

use clap::CommandFactory;

use crate::args::{Args, Completions};
use crate::exit::Exit;
use crate::out;

pub(crate) fn run(args: &Completions) -> Exit {
    let mut command = Args::command();
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, name, &mut script);
    out::bytes(&script);
    Exit::Done
}
