//! `portcullis serve`

use portcullis_config::{Config, Problems};
use portcullis_status::tls;
use tracing::error;

use crate::args::Serve;
use crate::exit::Exit;
use crate::logging;
use crate::out::fail;
use crate::serve::stage;
use crate::setup::{checked, runtime};

pub(crate) fn run(args: &Serve) -> Exit {
    serve(args).into()
}

fn serve(args: &Serve) -> Result<(), Exit> {
    let (sink, _flush) = logging::start(args.log_format)
        .map_err(|error| fail(Exit::Failed, format_args!("logging cannot be started: {error}")))?;
    let read = stage::configuration(&args.dir.config, certificates);
    let (config, stage) = read.map_err(|error| fail(Exit::Failed, error))?;
    let config = checked(config)?;
    let runtime = runtime()?;
    let served = runtime.block_on(crate::serve::serve(config, stage, sink, args.take_over)).map_err(|error| {
        error!(%error, "the host cannot serve");
        Exit::Failed
    });
    // What hangs must not keep the process from ending.
    runtime.shutdown_background();
    served
}

/// What is wrong with the certificates of the admin API. Other commands need not be able to read them.
fn certificates(config: &Config) -> Problems {
    let files = config.admin.as_ref().map(|admin| &admin.files);
    files.and_then(|files| tls::load(files).err()).unwrap_or_default()
}
