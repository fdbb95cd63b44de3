//! `/etc/nsswitch.conf` (nsswitch.conf(5)): which sources know hosts, and what to do after each has spoken.

use std::sync::Arc;

use crate::error::{LookupError, LookupErrorKind};

/// What the file says of the `hosts` database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Nsswitch {
    /// There is no file, or it says nothing of hosts.
    #[default]
    Silent,
    /// Nothing can be concluded from it, for the reason given.
    Unusable(String),
    /// Its sources.
    Hosts {
        /// The sources in order.
        sources: Vec<NssSource>,
        /// The line as written, without its comment.
        line: Arc<str>,
    },
}

/// One source of a line, such as `mdns4_minimal [NOTFOUND=return]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NssSource {
    pub(crate) name: String,
    pub(crate) criteria: Criteria,
}

/// What a source had to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// It knows the name.
    Success,
    /// It works, and does not know the name.
    NotFound,
    /// It does not work.
    Unavailable,
    /// It does not work for the moment.
    TryAgain,
}

/// What to do after a source has spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Take its word.
    Return,
    /// Ask the next.
    Continue,
    /// Ask the next as well and join their answers.
    Merge,
}

/// The action for each status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Criteria {
    success: Action,
    not_found: Action,
    unavailable: Action,
    try_again: Action,
}

impl Criteria {
    /// `[SUCCESS=return NOTFOUND=continue UNAVAIL=continue TRYAGAIN=continue]`
    pub(crate) const STANDARD: Criteria = Criteria {
        success: Action::Return,
        not_found: Action::Continue,
        unavailable: Action::Continue,
        try_again: Action::Continue,
    };

    /// What to do after `status`.
    pub(crate) fn after(self, status: Status) -> Action {
        match status {
            Status::Success => self.success,
            Status::NotFound => self.not_found,
            Status::Unavailable => self.unavailable,
            Status::TryAgain => self.try_again,
        }
    }

    /// Sets the action for `status`, or with `negate` for all but `status`.
    fn set(&mut self, status: Status, negate: bool, action: Action) {
        for (each, slot) in [
            (Status::Success, &mut self.success),
            (Status::NotFound, &mut self.not_found),
            (Status::Unavailable, &mut self.unavailable),
            (Status::TryAgain, &mut self.try_again),
        ] {
            if (each == status) != negate {
                *slot = action;
            }
        }
    }
}

impl Status {
    /// How glibc's sources would put this failure.
    pub(crate) fn of(error: &LookupError) -> Status {
        match error.kind() {
            LookupErrorKind::NotFound | LookupErrorKind::NoData | LookupErrorKind::InvalidName => {
                Status::NotFound
            }
            LookupErrorKind::Timeout | LookupErrorKind::ServerFailure => Status::TryAgain,
            _ => Status::Unavailable,
        }
    }
}

impl Nsswitch {
    /// Reads the file's text. The names of databases are taken as they are written, those of statuses and actions in
    /// any case. Later lines for hosts add to the first, as in Go.
    ///
    /// The file is read only for `hosts`; lines of other databases are passed over unless they lack their colon,
    /// which puts the whole file in doubt.
    pub(crate) fn parse(text: &[u8]) -> Nsswitch {
        let text = String::from_utf8_lossy(text);
        let mut sources = Vec::new();
        let mut lines = Vec::new();
        for line in text.lines() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            let Some((database, rest)) = line.split_once(':') else {
                return Nsswitch::Unusable(format!("no colon in line {line:?}"));
            };
            if database.trim() != "hosts" {
                continue;
            }
            if let Err(reason) = parse_sources(rest, &mut sources) {
                return Nsswitch::Unusable(format!("{reason} in line {line:?}"));
            }
            lines.push(line);
        }
        if sources.is_empty() {
            return Nsswitch::Silent;
        }
        Nsswitch::Hosts { sources, line: lines.join(" ").into() }
    }
}

/// The sources of one line; `[…]` belongs to the source before it, with or without space between.
fn parse_sources(mut rest: &str, sources: &mut Vec<NssSource>) -> Result<(), String> {
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            return Ok(());
        }
        if let Some(block) = rest.strip_prefix('[') {
            let Some((block, after)) = block.split_once(']') else { return Err("no ']'".to_owned()) };
            let Some(source) = sources.last_mut() else { return Err("criteria before a source".to_owned()) };
            for criterion in block.split_whitespace() {
                let (status, negate, action) = parse_criterion(criterion)
                    .ok_or_else(|| format!("criterion {criterion:?} not understood"))?;
                source.criteria.set(status, negate, action);
            }
            rest = after;
        } else {
            let end = rest.find(|c: char| c.is_whitespace() || c == '[').unwrap_or(rest.len());
            sources.push(NssSource { name: rest[..end].to_owned(), criteria: Criteria::STANDARD });
            rest = &rest[end..];
        }
    }
}

/// `NOTFOUND=return`, `!UNAVAIL=return`
fn parse_criterion(text: &str) -> Option<(Status, bool, Action)> {
    let (text, negate) = match text.strip_prefix('!') {
        Some(text) => (text, true),
        None => (text, false),
    };
    let (status, action) = text.split_once('=')?;
    let status = match status.to_ascii_lowercase().as_str() {
        "success" => Status::Success,
        "notfound" => Status::NotFound,
        "unavail" => Status::Unavailable,
        "tryagain" => Status::TryAgain,
        _ => return None,
    };
    let action = match action.to_ascii_lowercase().as_str() {
        "return" => Action::Return,
        "continue" => Action::Continue,
        "merge" => Action::Merge,
        _ => return None,
    };
    Some((status, negate, action))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sources(text: &str) -> Vec<NssSource> {
        match Nsswitch::parse(text.as_bytes()) {
            Nsswitch::Hosts { sources, .. } => sources,
            other => panic!("{text:?}: {other:?}"),
        }
    }

    fn names(text: &str) -> Vec<String> {
        sources(text).into_iter().map(|source| source.name).collect()
    }

    #[test]
    fn lines_of_real_systems() {
        // Debian; Ubuntu with avahi; Fedora; Arch; written with tabs and no spaces.
        assert_eq!(names("passwd: files\nhosts:          files dns\nnetworks: files\n"), ["files", "dns"]);
        assert_eq!(
            names("hosts: files mdns4_minimal [NOTFOUND=return] dns"),
            ["files", "mdns4_minimal", "dns"]
        );
        assert_eq!(
            names("hosts:      files myhostname resolve [!UNAVAIL=return] dns"),
            ["files", "myhostname", "resolve", "dns"]
        );
        assert_eq!(
            names("hosts: mymachines resolve [!UNAVAIL=return] files myhostname dns"),
            ["mymachines", "resolve", "files", "myhostname", "dns"]
        );
        assert_eq!(
            names("hosts:\tfiles\tmdns_minimal[NOTFOUND=return]dns # comment\r\n"),
            ["files", "mdns_minimal", "dns"]
        );
        assert_eq!(names("hosts: files\nhosts: dns\n"), ["files", "dns"]);
    }

    #[test]
    fn criteria_say_what_follows() {
        use Action::{Continue, Merge, Return};
        use Status::{NotFound, Success, TryAgain, Unavailable};
        for (block, expected) in [
            ("", [Return, Continue, Continue, Continue]),
            ("[NOTFOUND=return]", [Return, Return, Continue, Continue]),
            ("[!UNAVAIL=return]", [Return, Return, Continue, Return]),
            ("[!unavail=Return]", [Return, Return, Continue, Return]),
            ("[SUCCESS=merge]", [Merge, Continue, Continue, Continue]),
            ("[ SUCCESS=continue UNAVAIL=return ] [TRYAGAIN=return]", [Continue, Continue, Return, Return]),
            ("[!SUCCESS=return NOTFOUND=continue]", [Return, Continue, Return, Return]),
        ] {
            let criteria = sources(&format!("hosts: files {block} dns"))[0].criteria;
            let actions = [Success, NotFound, Unavailable, TryAgain].map(|status| criteria.after(status));
            assert_eq!(actions, expected, "{block}");
        }
    }

    #[test]
    fn silence_and_nonsense_are_told_apart() {
        for text in ["", "# nothing\n", "passwd: files", "hosts:", "hosts: # files"] {
            assert_eq!(Nsswitch::parse(text.as_bytes()), Nsswitch::Silent, "{text}");
        }
        for (text, reason) in [
            ("hosts files", "no colon in line \"hosts files\""),
            ("hosts: files\nnonsense", "no colon in line \"nonsense\""),
            ("hosts: files [NOTFOUND=return dns", "no ']' in line"),
            ("hosts: [NOTFOUND=return] dns", "criteria before a source"),
            ("hosts: files [NOTFOUND] dns", "criterion \"NOTFOUND\" not understood"),
            ("hosts: files [GONE=return] dns", "criterion \"GONE=return\" not understood"),
            ("hosts: files [NOTFOUND=stop] dns", "criterion \"NOTFOUND=stop\" not understood"),
        ] {
            match Nsswitch::parse(text.as_bytes()) {
                Nsswitch::Unusable(why) => assert!(why.starts_with(reason), "{text}: {why}"),
                other => panic!("{text}: {other:?}"),
            }
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Nsswitch::parse(&bytes);
        }

        #[test]
        fn nothing_near_a_line_panics(text in "hosts:[a-z \\[\\]!=#\n]{0,60}") {
            let _ = Nsswitch::parse(text.as_bytes());
        }
    }
}
