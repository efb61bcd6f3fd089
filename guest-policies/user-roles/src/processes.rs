//! Whose processes `docker top` shows.
//!
//! The daemon runs `ps` with the caller's arguments, if need be for all processes of the host, and shows the lines that
//! have one of the container's numbers in the column titled `PID` (moby's `daemon/top_unix.go`). It finds the column by
//! counting words, so a format can give the title to another column, or move it by one that prints several words
//! (`lstart`, `label`): both show processes of the host. Only formats are known to be harmless in which nothing before
//! `PID` has more than one word.

/// Whole texts: nothing, or only the user, stands before `PID`.
const OPTIONS: [&str; 8] = ["", "-e", "-ef", "-eF", "ax", "aux", "auxww", "-aux"];

/// What a list of columns may follow.
const BEFORE_COLUMNS: [&str; 5] = ["-o ", "-eo ", "-Ao ", "axo ", "o "];

/// Columns that may follow `pid`; behind it, any number of words is harmless.
const COLUMNS: [&str; 40] = [
    "%cpu", "%mem", "args", "c", "cmd", "comm", "command", "cputime", "egid", "egroup", "etime", "etimes", "euid",
    "euser", "gid", "group", "lstart", "nice", "nlwp", "pcpu", "pgid", "pmem", "ppid", "pri", "psr", "rss", "ruser",
    "s", "sid", "size", "start", "stat", "state", "stime", "sz", "time", "tty", "uid", "user", "vsz",
];

/// Whether `ps` with these arguments is known to have the number of each process in the column where the daemon looks.
pub(crate) fn are_the_containers(arguments: &str) -> bool {
    let mut lists = BEFORE_COLUMNS.iter().filter_map(|before| arguments.strip_prefix(before));
    OPTIONS.contains(&arguments) || lists.any(has_pid_first)
}

fn has_pid_first(columns: &str) -> bool {
    let mut columns = columns.split(',');
    columns.next() == Some("pid") && columns.all(|column| COLUMNS.contains(&column))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_formats_with_the_number_where_the_daemon_looks_are_known() {
        for arguments in [
            "",
            "-e",
            "-ef",
            "-eF",
            "ax",
            "aux",
            "auxww",
            "-aux",
            "-o pid",
            "-eo pid,args",
            "axo pid,ppid,user,lstart,cmd",
            "o pid,%cpu,vsz",
        ] {
            assert!(are_the_containers(arguments), "{arguments}");
        }
        for arguments in [
            " ",
            "-ef ",
            "-f",
            "auxe",
            "axf",
            "-efZ",
            "-eM",
            "axZ",
            "axefo lstart,etimes,uid,gid,sz,pid,args",
            "-o etimes=PID,args",
            "-o pid=,args",
            "-o pid,etimes=PID",
            "-o pid=PID,args",
            "-o %p",
            "-o pid,%p",
            "-o args,pid",
            "-o label,pid",
            "-o user,pid",
            "-o ppid,pid",
            "-o pid,pid",
            "-o PID",
            "-o pid,",
            "-o ,pid",
            "-o pid,args -o lstart",
            "-o pid, args",
            "-opid,args",
            "-o  pid",
            "-o\tpid",
            "-o pid\n",
            "-o pid:20",
            "-O pid",
            "-o pid,environ",
            "-ef --sort=pid",
            "--format pid",
            "-eo lstart,pid",
            "axefo pid,args",
        ] {
            assert!(!are_the_containers(arguments), "{arguments}");
        }
    }
}
