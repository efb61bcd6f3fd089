//! What the operator's data costs at its largest: 100 MB of JSON, a million users.
//!
//! Not criterion's: most of it is done once, and some of it is memory, which the kernel is asked for.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a bench may end where its input is not right")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::{Duration, Instant};
use std::{fs, io};

use portcullis_docker::json::{self, Shape};
use portcullis_document::{Document, patch};

const USERS: usize = 1_000_000;
const CHANGES: usize = 10_000;

fn main() {
    let before = resident();
    let text = users(USERS);
    let bytes = text.len();
    println!("{USERS} users, {:.1} MB of JSON", bytes as f64 / 1e6);
    // Faults in nothing: the text is there before, and given away.
    let (document, took) = timed(|| read(text));
    report("load", took);
    let held = resident() - before;
    println!("resident while active   {:8.2} times the JSON", held as f64 / bytes as f64);
    println!("resident at most          {:8.2} times the JSON", (peak() - before) as f64 / bytes as f64);
    println!("size() says               {:8.2} times the JSON", document.size() as f64 / bytes as f64);

    let small = read(users(50));
    each("look up a role, 50 users", |number| role(&small, number % 50));
    each("look up a role, 50 of a million", |number| role(&document, scattered(number % 50)));
    each("look up a role, any of a million", |number| role(&document, scattered(number)));

    let admin = read("\"admin\"".to_owned());
    let mut changed = document.clone();
    let start = Instant::now();
    for number in 0..CHANGES {
        changed = changed.set(&pointer(scattered(number)), &admin).expect("is there");
    }
    let took = start.elapsed() / CHANGES as u32;
    report("set one of a million", took);
    println!("memory for one change     {:8} bytes", changed.size_beside(&[&document]) / CHANGES);
    let one = changed.set(&pointer(scattered(CHANGES)), &admin).expect("is there");
    println!("memory for one more       {:8} bytes", one.size_beside(&[&changed]));
    println!("with 10,000 of a million changed:");
    each("look up a role, 50 of a million", |number| role(&changed, scattered(CHANGES + number % 50)));
    each("look up a role, any of a million", |number| role(&changed, scattered(number)));
    each("look up a role, 50 changed ones", |number| role(&changed, scattered(number % 50)));
    each("look up a role, any changed one", |number| role(&changed, scattered(number % CHANGES)));

    let example = read(format!("{{\"users\":{{\"{}\":{{\"role\":\"admin\",\"note\":null}}}}}}", name(77)));
    each("merge patch of one user", |_| black_box(patch::merge(&changed, &example).expect("merges")).size_of_val());
    let operations = read(format!(
        "[{{\"op\":\"test\",\"path\":\"{0}\",\"value\":\"reader\"}},{{\"op\":\"replace\",\"path\":\"{0}\",\"value\":\"admin\"}}]",
        pointer(77)
    ));
    each("JSON patch: test, replace", |_| {
        black_box(patch::apply(&document, &operations).expect("applies")).size_of_val()
    });
    let ten_thousand = read(format!(
        "[{}]",
        (0..10_000)
            .map(|number| format!(
                "{{\"op\":\"replace\",\"path\":\"{}\",\"value\":\"admin\"}}",
                pointer(scattered(number))
            ))
            .collect::<Vec<_>>()
            .join(",")
    ));
    report("JSON patch of 10,000 operations", timed(|| patch::apply(&document, &ten_thousand).expect("applies")).1);
    report("remove all users", timed(|| document.remove("/users").expect("is there")).1);

    for (name, document) in [("write, as read", &document), ("write, 10,000 changed", &changed)] {
        let (written, took) = timed(|| {
            let mut counted = Counted(0);
            document.root().write_to(&mut counted).expect("is written");
            counted.0
        });
        report(name, took);
        assert!(written.abs_diff(bytes) < CHANGES * 10, "{written}");
    }
    let (compacted, took) = timed(|| changed.compacted());
    report("compact", took);
    println!("size() of it              {:8.2} times the JSON", compacted.size() as f64 / bytes as f64);
    each("look up a role, compacted", |number| role(&compacted, scattered(number)));
    let (equal, took) = timed(|| compacted == changed);
    report("compare all of it", took);
    assert!(equal);
}

/// What [`each`] may hold on to.
trait SizeOfVal {
    fn size_of_val(&self) -> usize;
}

impl SizeOfVal for Document {
    fn size_of_val(&self) -> usize {
        size_of_val(self)
    }
}

struct Counted(usize);

impl io::Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += black_box(bytes).len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn users(count: usize) -> String {
    let mut text = String::with_capacity(count * 106 + 32);
    text.push_str("{\"users\":{");
    for number in 0..count {
        let comma = if number == 0 { "" } else { "," };
        write!(
            text,
            "{comma}\"{name}\":{{\"role\":\"reader\",\"teams\":[\"a\",\"b\"],\"mail\":\"{name}@example.com\",\"active\":true}}",
            name = name(number)
        )
        .unwrap();
    }
    text.push_str("}}");
    text
}

fn name(number: usize) -> String {
    format!("user-{number:06}")
}

fn pointer(number: usize) -> String {
    format!("/users/{}/role", name(number))
}

/// Any of the million, in no order that a cache knows.
fn scattered(number: usize) -> usize {
    number * 7919 % USERS
}

fn read(text: String) -> Document {
    json::read(text, Shape::Any).expect("is JSON")
}

fn role(document: &Document, number: usize) -> usize {
    // The pointer is made by the caller's loop as well, in each of the cases alike.
    let role = document.pointer(&pointer(number)).and_then(|value| value.as_str());
    role.expect("is there").len()
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let done = work();
    (done, start.elapsed())
}

/// The best of five rounds.
fn each(name: &str, work: impl Fn(usize) -> usize) {
    const ROUND: usize = 70_000;
    let best = (0..5).map(|_| timed(|| (0..ROUND).map(|number| black_box(work(number))).sum::<usize>()).1).min();
    report(name, best.unwrap() / ROUND as u32);
}

fn report(name: &str, took: Duration) {
    println!("{name:32} {took:>10.2?}");
}

fn resident() -> usize {
    let statm = fs::read_to_string("/proc/self/statm").expect("is Linux");
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

/// The most that was ever resident.
fn peak() -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("is Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("is told");
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}
