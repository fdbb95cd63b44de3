//! What a workload must show.

use std::fmt;

use serde::Serialize;

use super::metric::Metric;

/// A bound on landline's figure, or on its ratio to a peer's.
#[derive(Debug, PartialEq)]
pub(crate) struct Goal {
    pub(crate) metric: Metric,
    pub(crate) of: Option<&'static str>,
    pub(crate) bound: Bound,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

/// A goal held against a run.
#[derive(Debug, Serialize)]
pub(crate) struct Verdict {
    pub(crate) goal: String,
    /// Nothing when this run could not tell.
    pub(crate) value: Option<f64>,
    pub(crate) met: Option<bool>,
}

/// `metric` at least so much of `peer`'s.
pub(crate) const fn at_least(metric: Metric, bound: f64, peer: &'static str) -> Goal {
    Goal { metric, of: Some(peer), bound: Bound::AtLeast(bound) }
}

/// `metric` at most so much of `peer`'s.
pub(crate) const fn at_most(metric: Metric, bound: f64, peer: &'static str) -> Goal {
    Goal { metric, of: Some(peer), bound: Bound::AtMost(bound) }
}

/// `metric` at most so much, whatever the peers'.
pub(crate) const fn within(metric: Metric, bound: f64) -> Goal {
    Goal { metric, of: None, bound: Bound::AtMost(bound) }
}

impl Goal {
    pub(crate) fn judge(&self, value: Option<f64>) -> Verdict {
        // A count of calls has those of the runtime in it, which wakes up now and then: in a hundred operations, once.
        let slack = if self.metric == Metric::Calls { 1.01 } else { 1.0 };
        let met = value.map(|value| match self.bound {
            Bound::AtLeast(bound) => value * slack >= bound,
            Bound::AtMost(bound) => value <= bound * slack,
        });
        Verdict { goal: self.to_string(), value, met }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = self.metric.words();
        match self.bound {
            Bound::AtLeast(bound) => write!(f, "{what} at least {bound}")?,
            Bound::AtMost(bound) => write!(f, "{what} at most {bound}")?,
        }
        match self.of {
            Some(peer) => write!(f, " of {peer}"),
            None => Ok(()),
        }
    }
}

impl Verdict {
    pub(crate) fn word(&self) -> &'static str {
        match self.met {
            Some(true) => "met",
            Some(false) => "MISSED",
            None => "not measured",
        }
    }

    /// The value in brackets, behind the word.
    pub(crate) fn aside(&self) -> String {
        self.value.map_or(String::new(), |value| format!(" ({value:.2})"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_judged_by_what_was_measured() {
        let goal = at_least(Metric::Rate, 0.97, "tokio");
        assert_eq!(goal.to_string(), "rate at least 0.97 of tokio");
        assert_eq!(goal.judge(Some(0.97)).word(), "met");
        assert_eq!(goal.judge(Some(0.966)).word(), "MISSED");
        assert_eq!(goal.judge(None).word(), "not measured");
        assert_eq!(within(Metric::Memory, 1024.0).to_string(), "bytes of memory per conn at most 1024");
        let calls = within(Metric::Calls, 11.0);
        assert_eq!((calls.judge(Some(11.02)).word(), calls.judge(Some(12.0)).word()), ("met", "MISSED"));
    }
}
