//! The benchmarks of tenants run to their end and tell everything. How fast is not asked here: `make bench-isolation`,
//! `bench-tenants` and `bench-data` are for machines that are at rest.

#![expect(clippy::indexing_slicing, reason = "JSON has a value, or null, at every name")]

use std::process::Command;

use portcullis_tests::{Error, Result, artifacts};
use serde_json::Value;

/// What a benchmark prints, whatever it makes of its figures.
fn run(program: &str, arguments: &[&str]) -> Result<(Option<i32>, String)> {
    let path = artifacts::portcullis()?.with_file_name(program);
    let output = Command::new(&path).args(arguments).output();
    let output = output.map_err(|source| Error::Io { doing: format!("running `{}`", path.display()), source })?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    if printed.is_empty() {
        return Err(Error::Unexpected(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    Ok((output.status.code(), printed))
}

fn rows(printed: &str) -> Result<(Value, Vec<Value>)> {
    let report: Value =
        serde_json::from_str(printed).map_err(|error| Error::Unexpected(format!("{error}: {printed}")))?;
    let rows = report["rows"].as_array().cloned().unwrap_or_default();
    Ok((report, rows))
}

fn numbers(row: &Value, names: &[&str]) {
    for name in names {
        assert!(row[name].as_f64().is_some_and(|number| number > 0.0), "`{name}` of {row}");
    }
}

#[test]
fn the_benchmark_of_isolation_tells_every_phase() -> Result<()> {
    let (code, printed) = run("bench-isolation", &["--seconds", "1", "--policy-mib", "1", "--json"])?;
    let (report, rows) = rows(&printed)?;
    assert_eq!(rows.len(), 7, "{printed}");
    for row in &rows {
        numbers(row, &["asked", "p50_ms", "p99_ms", "max_ms", "times_alone"]);
        let is_alone = row["phase"].as_str().is_some_and(|phase| phase.starts_with("alone"));
        assert_eq!(row["neighbours"]["answers_per_second"].as_f64() == Some(0.0), is_alone, "{row}");
    }
    assert!(rows.iter().any(|row| row["neighbours"]["swaps"].as_u64().is_some_and(|swaps| swaps > 0)), "{printed}");
    let kept = rows.iter().all(|row| row["within_reach"] == true);
    assert_eq!((report["passed"].as_bool(), code), (Some(kept), Some(i32::from(!kept))));
    Ok(())
}

#[test]
fn the_benchmark_of_tenants_tells_every_count() -> Result<()> {
    let arguments = ["--tenants", "1,2", "--seconds", "1", "--swaps", "2"];
    let (code, printed) = run("bench-tenants", &[&arguments[..], &["--json"]].concat())?;
    let (report, rows) = rows(&printed)?;
    let told: Vec<_> = rows.iter().map(|row| (row["files"].as_str(), row["tenants"].as_u64())).collect();
    let expected = ["the same", "all distinct"].map(|files| [1, 2].map(|tenants| (Some(files), Some(tenants))));
    assert_eq!((code, told), (Some(0), expected.concat()));
    for row in &rows {
        numbers(row, &["decisions_per_second", "cpu_us_per_decision", "times_cpu", "rss_mib", "pss_mib"]);
        numbers(row, &["start_cold_ms", "start_warm_ms", "swap_p50_ms", "swap_max_ms"]);
    }
    assert_eq!(report["growth"].as_array().map(Vec::len), Some(2));
    Ok(())
}

#[test]
fn the_benchmark_of_data_tells_every_step() -> Result<()> {
    let (code, printed) = run("bench-data", &["--users", "20000", "--patches", "2", "--json"])?;
    let report: Value =
        serde_json::from_str(&printed).map_err(|error| Error::Unexpected(format!("{error}: {printed}")))?;
    let list = |name: &str| report[name].as_array().cloned().unwrap_or_default();
    assert_eq!((list("decisions").len(), list("steps").len()), (3, 4), "{printed}");
    list("decisions").iter().for_each(|row| numbers(row, &["p50_us", "p99_us"]));
    list("steps").iter().for_each(|row| numbers(row, &["took_ms", "peak_times_json"]));
    numbers(&report["patches"], &["p50_ms", "longest_ms", "write_p50_ms", "disk_p50_ms", "longest_decision_ms"]);
    assert_eq!(report["passed"].as_bool(), Some(code == Some(0)), "{printed}");
    Ok(())
}

#[test]
fn an_unknown_argument_is_refused() -> Result<()> {
    for program in ["bench-isolation", "bench-tenants", "bench-data"] {
        let told = run(program, &["--second", "1"]).expect_err("refused").to_string();
        assert!(told.contains("unknown argument `--second`") && told.contains("usage"), "{told}");
    }
    Ok(())
}
