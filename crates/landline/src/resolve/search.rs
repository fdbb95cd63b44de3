//! The search list: the absolute names that a name may stand for, in the order in which they are asked for.

use super::config::Config;
use super::name::{InvalidName, Name, validate};
use super::special::Reserved;

/// The absolute names to try for one name, made one at a time because the first is mostly the last.
#[derive(Clone, Debug)]
pub(crate) struct Candidates<'a> {
    name: &'a str,
    suffixes: std::slice::Iter<'a, Name>,
    as_it_is: AsItIs,
}

/// When the name without a suffix is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AsItIs {
    First,
    Last,
    /// It was, or never is.
    No,
}

impl<'a> Candidates<'a> {
    /// For `name`, which is absolute if it ends in a dot and then stands for itself alone.
    ///
    /// Names that are too long with a suffix, or reserved, are left out.
    pub(crate) fn new(name: &'a str, config: &'a Config) -> Result<Candidates<'a>, InvalidName> {
        validate(name)?;
        let (search, as_it_is) = match name.bytes().filter(|&byte| byte == b'.').count() {
            _ if name.ends_with('.') => (&[][..], AsItIs::First),
            0 if config.no_tld_query() => (config.search(), AsItIs::No),
            dots if dots >= usize::from(config.ndots()) => (config.search(), AsItIs::First),
            _ => (config.search(), AsItIs::Last),
        };
        // A reserved name is not completed either: `abc.onion.example.com` would tell of `abc.onion`.
        if Reserved::of(name).is_some() {
            return Ok(Candidates { name, suffixes: [].iter(), as_it_is: AsItIs::No });
        }
        Ok(Candidates { name, suffixes: search.iter(), as_it_is })
    }

    fn as_it_is(&mut self) -> Option<Name> {
        self.as_it_is = AsItIs::No;
        match self.name.ends_with('.') {
            true => Some(Name::from_valid(self.name.to_owned())),
            false => Name::joined(self.name, &Name::root()),
        }
    }
}

impl Iterator for Candidates<'_> {
    type Item = Name;

    fn next(&mut self) -> Option<Name> {
        if self.as_it_is == AsItIs::First {
            return self.as_it_is();
        }
        for suffix in self.suffixes.by_ref() {
            // The root completes a name to what it is already.
            if suffix.without_dot().is_empty() {
                continue;
            }
            match Name::joined(self.name, suffix) {
                Some(name) if Reserved::of(name.as_str()).is_none() => return Some(name),
                _ => {}
            }
        }
        if self.as_it_is == AsItIs::Last { self.as_it_is() } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn config(ndots: u8, search: &[&str]) -> Config {
        Config::new().with_ndots(ndots).with_search(search.iter().map(|name| name.parse().unwrap()))
    }

    fn candidates(name: &str, config: &Config) -> Vec<String> {
        Candidates::new(name, config).unwrap().map(|name| name.as_str().to_owned()).collect()
    }

    #[test]
    fn dots_decide_what_comes_first() {
        let search = ["a.example", "b.example."];
        for (ndots, name, expected) in [
            (1, "www", vec!["www.a.example.", "www.b.example.", "www."]),
            (1, "www.x", vec!["www.x.", "www.x.a.example.", "www.x.b.example."]),
            (2, "www.x", vec!["www.x.a.example.", "www.x.b.example.", "www.x."]),
            (0, "www", vec!["www.", "www.a.example.", "www.b.example."]),
            (15, "a.b.c", vec!["a.b.c.a.example.", "a.b.c.b.example.", "a.b.c."]),
            (1, "www.", vec!["www."]),
            (5, "www.x.", vec!["www.x."]),
            (1, ".", vec!["."]),
        ] {
            assert_eq!(candidates(name, &config(ndots, &search)), expected, "{name} with ndots {ndots}");
        }
        assert_eq!(candidates("www", &config(1, &[])), ["www."]);
        assert_eq!(candidates("www", &config(1, &["."])), ["www."]);
    }

    #[test]
    fn names_too_long_with_a_suffix_are_left_out() {
        let label = "a".repeat(63);
        let name = format!("{label}.{label}.{label}.{}", "a".repeat(59));
        assert_eq!(name.len(), 251);
        let names = candidates(&name, &config(1, &["example", "b", "cc"]));
        assert_eq!(names, [format!("{name}."), format!("{name}.b.")]);
    }

    #[test]
    fn reserved_names_are_never_made() {
        let all = config(1, &["example.com", "localhost", "invalid", "x.onion"]);
        assert_eq!(candidates("www", &all), ["www.example.com.", "www."]);
        for name in ["localhost", "a.localhost", "a.invalid.", "abc.onion", "abc.onion."] {
            assert_eq!(candidates(name, &all), [""; 0], "{name}");
        }
    }

    #[test]
    fn top_level_domains_are_not_asked_for_if_the_file_says_so() {
        let config = config(0, &["example.com"]).with_no_tld_query(true);
        assert_eq!(candidates("www", &config), ["www.example.com."]);
        assert_eq!(candidates("www.", &config), ["www."]);
        assert_eq!(candidates("a.b", &config), ["a.b.", "a.b.example.com."]);
    }

    #[test]
    fn invalid_names_are_refused() {
        assert!(Candidates::new("a..b", &Config::new()).is_err());
    }

    proptest! {
        #[test]
        fn every_candidate_is_valid_and_begins_with_the_name(
            name in "[a-z0-9.-]{1,80}",
            search in proptest::collection::vec("[a-z]{1,63}(\\.[a-z]{1,63}){0,2}", 0..4),
            ndots in 0u8..20,
        ) {
            let search: Vec<&str> = search.iter().map(String::as_str).collect();
            let config = config(ndots, &search);
            if let Ok(candidates) = Candidates::new(&name, &config) {
                let all: Vec<Name> = candidates.collect();
                prop_assert!(all.len() <= search.len() + 1);
                for each in &all {
                    prop_assert!(each.as_str().starts_with(&name));
                    prop_assert!(each.as_str().parse::<Name>().is_ok());
                }
            }
        }
    }
}
