//! `portcullis reload`

use hyper::Method;

use crate::admin::Call;
use crate::args::Reload;
use crate::exit::Exit;
use crate::patience::Patience;

pub(crate) fn run(args: &Reload) -> Exit {
    Call::new(Method::POST, "/v1/reload").patience(Patience::LONG).send(&args.host).map(drop).into()
}
