//! `portcullis replay`

use std::io::{self, IsTerminal, Write};

use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressStyle};
use portcullis_decision_log::archive::Logs;
use portcullis_model::printable::escape;
use portcullis_replay::{Answered, Change, Damaged, Kind, Replayer, Report, Skipped, StateAtStart, Wanted};

use crate::args::{Replay, ReplayState};
use crate::exit::Exit;
use crate::out::{self, fail, note};
use crate::setup::{read_config, runtime};
use crate::words::{counted, plain, short, when};

/// IDs that are named of each change; `--json` has as many as `--limit`.
const EXAMPLES: usize = 3;
const STEADY: std::time::Duration = std::time::Duration::from_millis(200);

pub(crate) fn run(args: &Replay) -> Exit {
    let report = match replay(args) {
        Ok(report) => report,
        Err(exit) => return exit,
    };
    let is_changed = report.changed > 0;
    let printed = if args.json {
        print_json(report, args.limit)
    } else {
        out::styled(|out| print(out, &report, args));
        Ok(())
    };
    match printed {
        Err(exit) => exit,
        Ok(()) if is_changed => Exit::Denied,
        Ok(()) => Exit::Done,
    }
}

fn replay(args: &Replay) -> Result<Report, Exit> {
    let config = read_config(&args.dir.config)?;
    let filter = args.filter.filter();
    let logs = Logs::open(&args.logs).map_err(|error| fail(Exit::Failed, error))?;
    let state = match args.state {
        ReplayState::Empty => StateAtStart::Empty,
        ReplayState::Copy => StateAtStart::Copy,
    };
    let examples = if args.json { args.limit.max(EXAMPLES) } else { EXAMPLES };
    let runtime = runtime()?;
    let _entered = runtime.enter();
    let replayer = Replayer::load(&config, state).map_err(|error| fail(Exit::Failed, error))?;
    for note in replayer.notes() {
        note!("portcullis: {note}");
    }
    let bar = progress(logs.size());
    let shown = bar.clone();
    let wanted = Wanted { filter, examples };
    let report = runtime.block_on(replayer.run(logs, wanted, move |bytes| shown.set_position(bytes)));
    bar.finish_and_clear();
    report.map_err(|error| fail(Exit::Failed, error))
}

/// On stderr, and only if that is a terminal.
fn progress(size: Option<u64>) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let (bar, template) = match size {
        Some(size) => (ProgressBar::new(size), "{wide_bar} {bytes} of {total_bytes}, {eta} left"),
        None => (ProgressBar::no_length(), "{spinner} {bytes} read"),
    };
    // The templates are good ones.
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.set_style(style);
    bar.enable_steady_tick(STEADY);
    bar
}

fn print_json(mut report: Report, limit: usize) -> Result<(), Exit> {
    report.changes.truncate(limit);
    out::json(&report)
}

fn print(out: &mut dyn Write, report: &Report, args: &Replay) -> io::Result<()> {
    head(out, report, args)?;
    let mut left = args.limit;
    for kind in Kind::ALL {
        let of_kind: Vec<_> = report.changes.iter().filter(|change| change.kind == kind).collect();
        let shown = of_kind.len().min(left);
        if shown == 0 {
            continue;
        }
        left -= shown;
        let bold = Style::new().bold();
        writeln!(out, "\n{bold}{}{bold:#}", heading(kind))?;
        of_kind.into_iter().take(shown).try_for_each(|change| print_change(out, change))?;
    }
    let hidden: u64 = report.changes.iter().skip(args.limit).map(|change| change.count).sum::<u64>() + report.ungrouped;
    if hidden > 0 {
        writeln!(out, "\n{} more changes are not shown; `--limit` says how many kinds are", counted(hidden))?;
    }
    foot(out, report)
}

fn head(out: &mut dyn Write, report: &Report, args: &Replay) -> io::Result<()> {
    let config = args.dir.config.display().to_string();
    let config = escape(&config);
    let decisions = counted(report.replayed);
    match (&report.first, &report.last) {
        (Some(first), Some(last)) => {
            let (first, last) = (when(first), when(last));
            writeln!(out, "{decisions} decisions of {first} to {last}, asked again with {config}\n")?;
        }
        _ => writeln!(out, "no decision was asked again with {config}\n")?,
    }
    writeln!(out, "{:>9}  stay as they are", counted(report.unchanged))?;
    for (kind, count) in &report.kinds {
        let style = style(*kind);
        writeln!(out, "{style}{:>9}  {}{style:#}", counted(*count), sentence(*kind))?;
    }
    Ok(())
}

fn print_change(out: &mut dyn Write, change: &Change) -> io::Result<()> {
    let Change { operation, user, tenant, was, now, count, uncertain, examples, .. } = change;
    let of_tenant = if tenant == "default" { String::new() } else { format!(" of tenant {}", plain(tenant)) };
    let by = if user == "-" { String::new() } else { format!(" by {}", plain(user)) };
    writeln!(out, "{:>9}  {}{by}{of_tenant}", counted(*count), plain(operation))?;
    if let Answered::Deny { reason } = was {
        writeln!(out, "           was  {}", plain(reason))?;
    }
    if let Answered::Deny { reason } = now {
        writeln!(out, "           now  {}", plain(reason))?;
    }
    if *uncertain > 0 {
        writeln!(out, "           {} of these may come out otherwise, see below", counted(*uncertain))?;
    }
    let ids: Vec<_> = examples.iter().map(|id| short(id)).collect();
    writeln!(out, "           e.g. {}", ids.join(" "))
}

fn foot(out: &mut dyn Write, report: &Report) -> io::Result<()> {
    let Report { uncertain_changed, uncertain_unchanged, moved, skipped, damaged, .. } = report;
    let Skipped { filtered, without_call, by_circumstance, other_lines, damaged_lines } = *skipped;
    writeln!(out)?;
    if uncertain_changed + uncertain_unchanged > 0 {
        writeln!(
            out,
            "{} of the changed and {} of the others may come out otherwise: a policy looked at what is not in the log as it \
             was, because it is secret, was too large, or nobody had asked",
            counted(*uncertain_changed),
            counted(*uncertain_unchanged),
        )?;
    }
    let notes = [
        (*moved, "decisions are of callers that belong to another tenant now"),
        (filtered, "decisions were left out: the options ask for others"),
        (without_call, "decisions cannot be asked again: nothing of the call is in the log"),
        (by_circumstance, "decisions were not asked again: there was no room, or the host, its log or its data failed"),
        (other_lines, "lines are no decisions"),
        (damaged_lines, "lines are damaged:"),
    ];
    for (count, note) in notes {
        if count > 0 {
            writeln!(out, "{} {note}", counted(count))?;
        }
    }
    for Damaged { file, line, problem } in damaged {
        writeln!(out, "  {}:{line}: {}", escape(file), escape(problem))?;
    }
    if report.changed > 0 {
        writeln!(out, "`portcullis why ID --file LOG` tells how one of them was decided")?;
    }
    Ok(())
}

fn sentence(kind: Kind) -> &'static str {
    match kind {
        Kind::NowDenied => "would be denied, and were allowed",
        Kind::NowAllowed => "would be allowed, and were denied",
        Kind::OtherReason => "would be denied for another reason",
        Kind::Observed => "would be answered the same, and what is only observed says something else",
    }
}

fn heading(kind: Kind) -> &'static str {
    match kind {
        Kind::NowDenied => "Would be denied, and were allowed",
        Kind::NowAllowed => "Would be allowed, and were denied",
        Kind::OtherReason => "Would be denied for another reason",
        Kind::Observed => "Only observed: would be told, had it counted",
    }
}

fn style(kind: Kind) -> Style {
    match kind {
        Kind::NowDenied => AnsiColor::Red.on_default(),
        Kind::NowAllowed => AnsiColor::Green.on_default(),
        Kind::OtherReason | Kind::Observed => AnsiColor::Yellow.on_default(),
    }
}
