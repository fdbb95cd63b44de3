//! `landline tour`, the first command that a stranger runs.

mod common;

use std::time::Duration;

use common::{Running, landline, run};

#[test]
fn it_ends_well_and_in_time_and_tells_every_step() {
    // Another process may take the machine for a second, but not each time.
    let timed = || {
        let began = tokio::time::Instant::now();
        (run(&["tour"]).expect(0), began.elapsed())
    };
    let (done, took) = [timed(), timed(), timed()].into_iter().min_by_key(|(_, took)| *took).unwrap();
    assert!(took < Duration::from_secs(3), "{took:?}");
    assert_eq!(done.stderr, "");
    let text = done.text();
    for word in ["budget", "parse", "resolve", "order", "dial", "socket", "fd", "move", "conn"] {
        assert!(text.lines().any(|line| line.contains(&format!(" {word} "))), "{word}\n{text}");
    }
    for words in
        ["The stage", "The dial, drawn", "The conversation", "RFC 8305", "attempt 1", "attempt 2", "won"]
    {
        assert!(text.contains(words), "{words}\n{text}");
    }
    assert!(text.is_ascii() && !text.contains('\x1b'), "{text}");
}

#[test]
fn json_tells_that_the_second_address_won() {
    let done = run(&["tour", "--json"]).expect(0);
    assert_eq!(done.text().lines().count(), 1);
    let tour: serde_json::Value = serde_json::from_str(done.text()).unwrap();
    assert_eq!(tour["way"].as_array().unwrap().len(), 9);
    let report = &tour["report"];
    assert_eq!(report["outcome"]["status"], "connected");
    assert_eq!(report["outcome"]["peer"], tour["stage"]["echo_server"]);
    let steps = report["steps"].as_array().unwrap();
    let attempts: Vec<_> = steps.iter().filter(|step| step["step"] == "attempt").collect();
    assert_eq!(attempts.len(), 2);
    assert_eq!(
        (&attempts[0]["peer"], &attempts[0]["fate"]),
        (&tour["stage"]["black_hole"], &"abandoned".into())
    );
    assert_eq!((&attempts[1]["peer"], &attempts[1]["fate"]), (&tour["stage"]["echo_server"], &"won".into()));
    let waited = attempts[1]["start_us"].as_u64().unwrap() - attempts[0]["start_us"].as_u64().unwrap();
    assert!(waited >= 250_000, "{waited}");
    assert!(steps.iter().any(|step| step["step"] == "query" && step["rcode"] == "NOERROR"));
    let said: Vec<_> = tour["conversation"].as_array().unwrap().iter().map(|line| &line["who"]).collect();
    assert_eq!(said, ["sent", "received", "sent", "received", "sent", "received"]);
}

#[test]
fn html_is_one_file_that_needs_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("tour.html");
    let done = run(&["tour", "--html", file.to_str().unwrap()]).expect(0);
    assert!(done.text().contains("tour.html"));
    let html = std::fs::read_to_string(file).unwrap();
    assert!(html.starts_with("<!doctype html>") && html.ends_with("</html>\n") && html.contains("<svg"));
    for outside in ["<script", "src=", "href=", "url(", "@import"] {
        assert!(!html.contains(outside), "{outside}");
    }
    assert!(run(&["tour", "--html", "-"]).expect(0).text().starts_with("<!doctype html>"));
}

#[test]
fn a_reader_that_goes_away_is_no_error_and_a_full_disk_is() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let done = Running::start(landline(&["tour"]).stdout(writer)).end().expect(0);
    assert_eq!(done.stderr, "");

    let done = run(&["tour", "--html", "/dev/full"]).expect(1);
    assert_eq!(done.complaint(), "landline: /dev/full: No space left on device");
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let done = Running::start(landline(&["tour"]).stdout(full)).end().expect(1);
    assert_eq!(done.complaint(), "landline: standard output: No space left on device");
}

#[test]
fn it_fits_narrow_terminals() {
    for columns in ["60", "80", "120"] {
        let done = Running::start(landline(&["tour"]).env("COLUMNS", columns)).end().expect(0);
        let longest = done.text().lines().map(|line| line.chars().count()).max().unwrap();
        assert!(longest <= columns.parse().unwrap(), "{columns}: {longest}\n{}", done.text());
    }
}
