//! What ran, what did not, and why: the last thing `cargo xtask test` prints.

/// The counts of one `cargo test`, over all its test binaries.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) ignored: u64,
    pub(crate) succeeded: bool,
}

impl Tally {
    /// Takes the figures from a line such as `test result: ok. 12 passed; 0 failed; 1 ignored; …`.
    pub(crate) fn read(&mut self, line: &str) {
        let Some(result) = line.strip_prefix("test result: ") else { return };
        let Some((_, figures)) = result.split_once(". ") else { return };
        for figure in figures.split("; ") {
            let Some((count, what)) = figure.split_once(' ') else { continue };
            let Ok(count) = count.parse::<u64>() else { continue };
            match what {
                "passed" => self.passed += count,
                "failed" => self.failed += count,
                "ignored" => self.ignored += count,
                _ => {}
            }
        }
    }
}

/// Everything that ran and everything that did not.
#[derive(Default)]
pub(crate) struct Summary {
    ran: Vec<(&'static str, Tally)>,
    skipped: Vec<(&'static str, String)>,
}

impl Summary {
    pub(crate) fn ran(&mut self, part: &'static str, tally: Tally) {
        self.ran.push((part, tally));
    }

    pub(crate) fn skipped(&mut self, part: &'static str, reason: String) {
        self.skipped.push((part, reason));
    }

    /// Whether everything that ran passed.
    pub(crate) fn is_good(&self) -> bool {
        self.ran.iter().all(|(_, tally)| tally.succeeded)
    }

    pub(crate) fn print(&self) {
        print!("{}", self.text());
    }

    fn text(&self) -> String {
        let mut text = String::from("\nran\n");
        for (part, tally) in &self.ran {
            let verdict = if tally.succeeded { "ok" } else { "FAILED" };
            text += &format!("  {part:<8} {verdict:<7} {} passed, {} failed", tally.passed, tally.failed);
            if tally.ignored > 0 {
                text += &format!(", {} ignored", tally.ignored);
            }
            text.push('\n');
        }
        if self.ran.is_empty() {
            text += "  nothing\n";
        }
        if self.skipped.is_empty() {
            text += "skipped\n  nothing\n";
            return text;
        }
        text += "skipped, and why\n";
        for (part, reason) in &self.skipped {
            text += &format!("  {part:<8} {reason}\n");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_all_binaries_are_added_up() {
        let mut tally = Tally::default();
        tally.read("running 3 tests");
        tally.read(
            "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
        );
        tally.read("test result: FAILED. 1 passed; 2 failed; 4 ignored; 0 measured; 0 filtered out");
        assert_eq!((tally.passed, tally.failed, tally.ignored), (4, 2, 4));
    }

    #[test]
    fn the_summary_names_what_ran_and_what_did_not() {
        let mut summary = Summary::default();
        summary.ran("unit", Tally { passed: 5, succeeded: true, ..Tally::default() });
        assert_eq!(summary.text(), "\nran\n  unit     ok      5 passed, 0 failed\nskipped\n  nothing\n");
        summary.skipped("netns", "all of it: needs root".to_owned());
        assert!(summary.text().ends_with("skipped, and why\n  netns    all of it: needs root\n"));
        assert!(summary.is_good());
        summary.ran("interop", Tally::default());
        assert!(!summary.is_good());
    }
}
