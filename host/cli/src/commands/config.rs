//! `portcullis config check`

use portcullis_config::{Problems, problem};
use portcullis_replay::check::{Checked, Mistake, check};

use crate::args::{Config, ConfigCheck};
use crate::exit::Exit;
use crate::out::{self, fail, say};
use crate::setup::runtime;

pub(crate) fn run(args: &Config) -> Exit {
    let Config::Check(args) = args;
    match checked(args) {
        Ok(checked) if checked.is_right => Exit::Done,
        Ok(_) => Exit::Usage,
        Err(exit) => exit,
    }
}

fn checked(args: &ConfigCheck) -> Result<Checked, Exit> {
    let dir = args.folder.as_ref().unwrap_or(&args.dir.config);
    let runtime = runtime()?;
    let _entered = runtime.enter();
    let checked = check(dir).map_err(|error| fail(Exit::Failed, error))?;
    if args.json {
        out::json(&checked)?;
    } else {
        print(&checked);
    }
    Ok(checked)
}

fn print(checked: &Checked) {
    let Checked { mistakes, warnings, .. } = checked;
    let is_cut = mistakes.iter().any(|mistake| mistake.problem.ends_with(Problems::MORE));
    mistakes.iter().for_each(|mistake| print_one("", mistake));
    warnings.iter().for_each(|warning| print_one("warning: ", warning));
    let listed = mistakes.len() - usize::from(is_cut);
    say!("{}, {}", problem::counted(listed, is_cut), warned(warnings.len()));
}

fn print_one(label: &str, mistake: &Mistake) {
    let Mistake { problem, help, .. } = mistake;
    say!("{label}{}", problem.replace('\n', "\n  "));
    if let Some(help) = help {
        say!("  help: {help}");
    }
}

fn warned(count: usize) -> String {
    match count {
        0 => "no warning".to_owned(),
        1 => "1 warning".to_owned(),
        _ => format!("{count} warnings"),
    }
}
