//! The Go program, and how it is asked.

use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::{env, thread};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// How much is compared, and with which seed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    pub(crate) seed: u64,
    pub(crate) count: u64,
}

/// How often what was said.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) same: usize,
    pub(crate) refused_by_both: usize,
    pub(crate) refused_by_us_only: usize,
}

/// None where Go is to be left out.
pub(crate) fn extent() -> Option<Extent> {
    if env::var_os("PORTCULLIS_SKIP_GO").is_some() {
        eprintln!("left out: PORTCULLIS_SKIP_GO is set");
        return None;
    }
    let number = |name, default| env::var(name).map_or(default, |text| text.parse().expect("is a number"));
    Some(Extent { seed: number("PORTCULLIS_GO_SEED", 20_261_123), count: number("PORTCULLIS_GO_COUNT", 100_000) })
}

/// Asks Go about every input, and hands each with its answer to `compare`. The inputs come twice: once for Go, once for
/// the comparison, so that they need not be kept.
pub(crate) fn compare<T>(
    mode: &str,
    table: &str,
    inputs: impl Fn() -> Box<dyn Iterator<Item = T> + Send>,
    encode: fn(&T) -> (&str, &[u8]),
    mut compare: impl FnMut(&T, &str),
) where
    T: 'static,
{
    let table = Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(table);
    let mut go = Command::new(program());
    let go = go.arg(mode).arg(table).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut go = go.spawn().expect("the Go program starts");
    let mut stdin = BufWriter::with_capacity(1 << 20, go.stdin.take().expect("is piped"));
    let to_go = inputs();
    let writer = thread::spawn(move || {
        for input in to_go {
            let (name, bytes) = encode(&input);
            writeln!(stdin, "{name}\t{}", STANDARD.encode(bytes)).expect("Go reads");
        }
    });
    let mut answers = BufReader::new(go.stdout.take().expect("is piped")).lines();
    for input in inputs() {
        let answer = answers.next().expect("Go answers every input").expect("is text");
        compare(&input, &answer);
    }
    writer.join().expect("all inputs were written");
    assert!(go.wait().expect("ends").success());
}

fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let program = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("go-differential");
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/go_differential");
        let files = ["main.go", "bodies.go", "targets.go"].map(|file| folder.join(file));
        let built =
            Command::new("go").args(["build", "-o"]).arg(&program).args(files).env("GO111MODULE", "off").status();
        match built {
            Ok(status) if status.success() => program,
            Ok(status) => panic!("`go build` of {} failed: {status}", folder.display()),
            Err(error) => panic!("`go` does not start: {error}; install golang-go, or set PORTCULLIS_SKIP_GO=1"),
        }
    })
}
