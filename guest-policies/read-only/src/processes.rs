//! Arguments of `ps` with which `docker top` shows the container's processes only, and no environment.
//!
//! The daemon runs `ps` for all processes of the host, and finds the column titled `PID` by counting words (moby's
//! `daemon/top_unix.go`): a format can give the title to another column, or move it by one that prints several words.

/// Whole texts.
const OPTIONS: [&str; 7] = ["-e", "-ef", "-eF", "ax", "aux", "auxww", "-aux"];

/// Columns that may follow `-o pid`; none shows an environment.
const COLUMNS: [&str; 24] = [
    "%cpu", "%mem", "args", "cmd", "comm", "command", "cputime", "etime", "euser", "group", "lstart", "nice", "nlwp",
    "pcpu", "pmem", "ppid", "rss", "ruser", "start", "stat", "time", "tty", "user", "vsz",
];

pub(crate) fn are_harmless(arguments: &str) -> bool {
    let columns = arguments.strip_prefix("-o ").or_else(|| arguments.strip_prefix("-eo "));
    let has_pid_first = |columns: &str| {
        let mut columns = columns.split(',');
        columns.next() == Some("pid") && columns.all(|column| COLUMNS.contains(&column))
    };
    OPTIONS.contains(&arguments) || columns.is_some_and(has_pid_first)
}

#[cfg(test)]
mod tests {
    use super::are_harmless;

    #[test]
    fn only_known_texts_are_harmless() {
        for arguments in ["-ef", "aux", "-o pid", "-o pid,comm", "-eo pid,lstart,args"] {
            assert!(are_harmless(arguments), "{arguments}");
        }
        for arguments in [
            "",
            "auxe",
            "-o lstart,pid",
            "-o label,pid",
            "-o pid=X",
            "-o pid,%p",
            "-o pid,environ",
            "-o  pid",
            "-o pid, args",
        ] {
            assert!(!are_harmless(arguments), "{arguments}");
        }
    }
}
