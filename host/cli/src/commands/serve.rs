//! `portcullis serve`

use portcullis_daemon::config::Config;
use tracing::error;

use crate::args::Serve;
use crate::commands::{checked, runtime};
use crate::exit::{Exit, fail};
use crate::logging;

pub(crate) fn run(args: &Serve) -> Exit {
    serve(args).into()
}

fn serve(args: &Serve) -> Result<(), Exit> {
    let config = checked(Config::read_to_serve(&args.dir.config))?;
    let runtime = runtime()?;
    let (sink, _flush) = logging::start(args.log_format)
        .map_err(|error| fail(Exit::Failed, format_args!("logging cannot be started: {error}")))?;
    let served = runtime.block_on(portcullis_daemon::serve::serve(config, sink, args.take_over)).map_err(|error| {
        error!(%error, "the host cannot serve");
        Exit::Failed
    });
    // What hangs must not keep the process from ending.
    runtime.shutdown_background();
    served
}
