//! Which of two patterns is the more specific, and a request that both match. Pure.

use http::Method;

use super::pattern::{End, Pattern, Segment};

/// How the requests that one pattern matches relate to those of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    /// The same requests.
    Same,
    /// All of them are the other's too, which has more.
    Narrower,
    /// All of the other's, and more.
    Wider,
    /// Some are, some are not, on both sides.
    Overlapping,
    /// None is.
    Apart,
}

use Relation::{Apart, Narrower, Overlapping, Same, Wider};

impl Relation {
    /// The relation of pairs, from those of their first and second halves.
    fn and(self, other: Relation) -> Relation {
        match (self, other) {
            (Apart, _) | (_, Apart) => Apart,
            (Same, relation) | (relation, Same) => relation,
            (left, right) if left == right => left,
            _ => Overlapping,
        }
    }
}

/// A request that both patterns match, where neither is the more specific.
pub(super) fn conflict(one: &Pattern, other: &Pattern) -> Option<String> {
    // A host beats none, and two hosts have no request in common.
    if one.host() != other.host() {
        return None;
    }
    match methods(one.method(), other.method()).and(paths(one, other)) {
        Same | Overlapping => Some(example(one, other)),
        Narrower | Wider | Apart => None,
    }
}

fn methods(one: Option<&Method>, other: Option<&Method>) -> Relation {
    match (one, other) {
        (one, other) if one == other => Same,
        (None, Some(_)) => Wider,
        (Some(_), None) => Narrower,
        (Some(&Method::GET), Some(&Method::HEAD)) => Wider,
        (Some(&Method::HEAD), Some(&Method::GET)) => Narrower,
        _ => Apart,
    }
}

fn paths(one: &Pattern, other: &Pattern) -> Relation {
    let both = one.segments.iter().zip(&other.segments);
    let common = both.map(|(one, other)| segments(one, other)).fold(Same, Relation::and);
    common.and(tails(one, other))
}

fn segments(one: &Segment, other: &Segment) -> Relation {
    match (one, other) {
        (Segment::Literal(one), Segment::Literal(other)) if one != other => Apart,
        (Segment::Literal(_), Segment::Literal(_)) | (Segment::Wildcard(_), Segment::Wildcard(_)) => Same,
        (Segment::Wildcard(_), Segment::Literal(_)) => Wider,
        (Segment::Literal(_), Segment::Wildcard(_)) => Narrower,
    }
}

/// The relation of what comes after the segments that they have in common.
fn tails(one: &Pattern, other: &Pattern) -> Relation {
    let is_rest = |pattern: &Pattern| matches!(pattern.end, End::Rest(_));
    match one.segments.len().cmp(&other.segments.len()) {
        // The end of the shorter stands where the longer has a segment.
        std::cmp::Ordering::Less if is_rest(one) => Wider,
        std::cmp::Ordering::Greater if is_rest(other) => Narrower,
        std::cmp::Ordering::Equal => match (&one.end, &other.end) {
            (End::Exact, End::Exact) | (End::Slash, End::Slash) | (End::Rest(_), End::Rest(_)) => Same,
            (End::Slash, End::Rest(_)) => Narrower,
            (End::Rest(_), End::Slash) => Wider,
            (End::Exact, _) | (_, End::Exact) => Apart,
        },
        _ => Apart,
    }
}

/// A request that both match; they are not apart.
fn example(one: &Pattern, other: &Pattern) -> String {
    let (longer, shorter) =
        if one.segments.len() < other.segments.len() { (other, one) } else { (one, other) };
    let method = match methods(one.method(), other.method()) {
        Narrower | Same => one.method(),
        _ => other.method(),
    };
    let mut text = method.map(|method| format!("{method} ")).unwrap_or_default();
    text.push_str(one.host().unwrap_or_default());
    for (index, segment) in longer.segments.iter().enumerate() {
        text.push('/');
        text.push_str(match (segment, shorter.segments.get(index)) {
            (Segment::Literal(literal), _) | (Segment::Wildcard(_), Some(Segment::Literal(literal))) => {
                literal
            }
            (Segment::Wildcard(name), _) => name,
        });
    }
    if longer.end != End::Exact {
        text.push('/');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relations() {
        for (one, other, expected) in [
            ("/", "/", Same),
            ("/{x}", "/{y}", Same),
            ("/{x...}", "/", Same),
            ("/a", "/{x}", Narrower),
            ("/a", "/", Narrower),
            ("/a/", "/a", Apart),
            ("/a/{$}", "/a/", Narrower),
            ("/{$}", "/{x}", Apart),
            ("/a/{x}", "/{x}/b", Overlapping),
            ("/a/", "/{x}/b", Overlapping),
            ("/a/{x...}", "/a/b/", Wider),
            ("/a/{$}", "/a/b", Apart),
            ("/a", "/b", Apart),
        ] {
            let [one, other] = [one, other].map(|text| text.parse::<Pattern>().unwrap());
            assert_eq!(paths(&one, &other), expected, "{one} {other}");
            let mirrored = match expected {
                Narrower => Wider,
                Wider => Narrower,
                relation => relation,
            };
            assert_eq!(paths(&other, &one), mirrored, "{other} {one}");
        }
    }
}
