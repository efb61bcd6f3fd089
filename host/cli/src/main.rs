//! `portcullis`: one binary, `serve` and the commands beside it.

#![deny(clippy::print_stdout, clippy::print_stderr)]

mod admin;
mod args;
mod commands;
mod exit;
mod help;
mod logging;
mod out;
mod patience;
mod progress;
mod record;
mod remote;
mod serve;
mod setup;
mod table;
mod words;

use std::process::{ExitCode, Termination as _};

use clap::Parser;

use crate::args::{Args, Command};
use crate::exit::Exit;

fn main() -> ExitCode {
    // `serve` and others start this program again to compile a policy.
    portcullis_engine::compile_if_asked().unwrap_or_else(|| out::finish(run(Args::parse().command)).report())
}

fn run(command: Command) -> Exit {
    match command {
        Command::Serve(args) => commands::serve::run(&args),
        Command::Check(args) => commands::check::run(&args),
        Command::Config(args) => commands::config::run(&args),
        Command::Decide(args) => commands::decide::run(&args),
        Command::Explain(args) => commands::explain::run(&args),
        Command::Replay(args) => commands::replay::run(&args),
        Command::Logs(args) => commands::logs::run(&args),
        Command::Why(args) => commands::why::run(&args),
        Command::Status(args) => commands::status::run(&args),
        Command::Ready(args) => commands::ready::run(&args),
        Command::Policy(args) => commands::policy::run(&args),
        Command::Data(args) => commands::data::run(&args),
        Command::State(args) => commands::state::run(&args),
        Command::Reload(args) => commands::reload::run(&args),
        Command::Completions(args) => commands::completions::run(&args),
        Command::Token(args) => commands::token::run(&args),
        Command::Version(args) => commands::version::run(&args),
    }
}
