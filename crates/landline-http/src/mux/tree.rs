//! Where patterns stand so that a request finds its own without trying them all. Pure.

use std::collections::{BTreeSet, HashMap};

use http::Method;

use super::path::unescape;
use super::pattern::{End, Pattern, Segment};

/// The patterns of one host, by their segments.
#[derive(Clone, Debug, Default)]
pub(super) struct Tree {
    literals: HashMap<Box<str>, Tree>,
    wildcard: Option<Box<Tree>>,
    exact: Methods,
    slash: Methods,
    rest: Methods,
}

/// Which pattern, by its number, is for which method at one place.
#[derive(Clone, Debug, Default)]
struct Methods(Vec<(Option<Method>, usize)>);

/// The number of the pattern that matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Match {
    pub(super) pattern: usize,
    /// A pattern for all that is left had something left to match.
    pub(super) is_loose: bool,
}

/// What is looked for at a place that the path leads to.
trait Visit {
    fn at(&mut self, methods: &Methods, is_loose: bool) -> Option<Match>;
}

impl Tree {
    pub(super) fn insert(&mut self, pattern: &Pattern, number: usize) {
        let mut tree = self;
        for segment in &pattern.segments {
            tree = match segment {
                Segment::Literal(text) => tree.literals.entry(text.clone()).or_default(),
                Segment::Wildcard(_) => tree.wildcard.get_or_insert_default(),
            };
        }
        let methods = match pattern.end {
            End::Exact => &mut tree.exact,
            End::Slash => &mut tree.slash,
            End::Rest(_) => &mut tree.rest,
        };
        methods.0.push((pattern.method().cloned(), number));
    }

    /// The most specific pattern for the method and the path, which has its escapes still.
    ///
    /// As no two patterns conflict, literals before wildcards finds it: of two that match the same request, one is
    /// narrower than the other in the path and in the method. No place is visited twice.
    pub(super) fn find(&self, method: &Method, path: &str) -> Option<Match> {
        struct Find<'a>(&'a Method);
        impl Visit for Find<'_> {
            fn at(&mut self, methods: &Methods, is_loose: bool) -> Option<Match> {
                methods.find(self.0).map(|pattern| Match { pattern, is_loose })
            }
        }
        self.visit(path, &mut Find(method))
    }

    /// Collects the methods of all patterns that match the path.
    pub(super) fn methods(&self, path: &str, found: &mut BTreeSet<String>) {
        struct Collect<'a>(&'a mut BTreeSet<String>);
        impl Visit for Collect<'_> {
            fn at(&mut self, methods: &Methods, _: bool) -> Option<Match> {
                for method in methods.0.iter().filter_map(|(method, _)| method.as_ref()) {
                    self.0.insert(method.to_string());
                    if method == Method::GET {
                        self.0.insert(Method::HEAD.to_string());
                    }
                }
                None
            }
        }
        self.visit(path, &mut Collect(found));
    }

    fn visit(&self, path: &str, visit: &mut impl Visit) -> Option<Match> {
        let Some(path) = path.strip_prefix('/') else {
            return if path.is_empty() { visit.at(&self.exact, false) } else { None };
        };
        if path.is_empty()
            && let Some(found) = visit.at(&self.slash, false)
        {
            return Some(found);
        }
        let (segment, left) = path.split_at(path.find('/').unwrap_or(path.len()));
        if !path.is_empty() {
            let literal = self.literals.get(&*unescape(segment));
            let wildcard = self.wildcard.as_deref().filter(|_| !segment.is_empty());
            for tree in literal.into_iter().chain(wildcard) {
                if let Some(found) = tree.visit(left, visit) {
                    return Some(found);
                }
            }
        }
        visit.at(&self.rest, !path.is_empty())
    }
}

impl Methods {
    /// The method itself, GET for HEAD, or all.
    fn find(&self, method: &Method) -> Option<usize> {
        let of = |wanted: Option<&Method>| {
            self.0.iter().find(|(method, _)| method.as_ref() == wanted).map(|(_, number)| *number)
        };
        of(Some(method))
            .or_else(|| (method == Method::HEAD).then(|| of(Some(&Method::GET)))?)
            .or_else(|| of(None))
    }
}
