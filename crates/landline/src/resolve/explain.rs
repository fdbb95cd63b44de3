//! Lookups that explain themselves.

use std::sync::Arc;

use super::resolver::Resolver;
use crate::error::{Operation, Result};
use crate::explain::{Outcome, Recorder, Report, What};

impl Resolver {
    /// Does a lookup, and tells how it went, on success and on failure alike.
    ///
    /// `lookup` gets a resolver that is this one and writes down what it does. Should it look up several things, the
    /// report has the steps of all, and the kind and the name of the first.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let resolver = landline::Resolver::system();
    /// let (result, report) = resolver.explain(async |resolver| resolver.lookup_ip("localhost").await).await;
    /// assert!(result.is_ok());
    /// assert_eq!((report.network(), report.address()), ("ip", "localhost"));
    /// println!("{report}");
    /// # }
    /// ```
    pub async fn explain<T>(&self, lookup: impl AsyncFnOnce(&Resolver) -> Result<T>) -> (Result<T>, Report) {
        let recorder = Arc::new(Recorder::new());
        let resolver = self.telling(recorder.clone());
        let result = lookup(&resolver).await;
        let events = recorder.events();
        let (kind, name) = events
            .iter()
            .find_map(|event| match &event.what {
                What::LookupStarted { name, kind } => Some((*kind, name.clone())),
                _ => None,
            })
            .unwrap_or_default();
        let outcome = match &result {
            Err(error) => Outcome::Failed(error.clone()),
            Ok(_) => {
                Outcome::Answered(events.iter().flat_map(|event| answer(&event.what)).cloned().collect())
            }
        };
        drop(events);
        (result, recorder.report(Operation::Lookup, kind, name, outcome))
    }
}

fn answer(what: &What) -> &[String] {
    match what {
        What::LookupDone { answer, .. } => answer,
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::explain::{Event, Fate, Step};

    #[tokio::test]
    async fn a_report_tells_of_success_and_of_failure() {
        let resolver = Resolver::system();
        let (result, report) = resolver.explain(async |resolver| resolver.lookup_ip("192.0.2.1").await).await;
        assert_eq!(result.unwrap()[0].to_string(), "192.0.2.1");
        assert!(
            matches!(report.outcome(), Outcome::Answered(answer) if *answer == ["192.0.2.1"]),
            "{report}"
        );
        assert!(matches!(report.spans()[0].step, Step::Lookup { kind: "ip", .. }), "{report}");

        let (result, report) =
            resolver.explain(async |resolver| resolver.lookup_ip("nosuch.invalid").await).await;
        assert!(result.unwrap_err().is_not_found());
        assert_eq!(
            (report.operation(), report.network(), report.address()),
            (Operation::Lookup, "ip", "nosuch.invalid")
        );
        assert!(report.error().unwrap().is_not_found());
        assert!(matches!(report.spans()[0].fate, Fate::Failed(_)), "{report}");
    }

    #[tokio::test]
    async fn the_resolvers_own_sink_is_told_as_well() {
        let heard = Arc::new(Mutex::new(0));
        let count = heard.clone();
        let resolver = Resolver::system().sink(move |_: &Event| *count.lock().unwrap() += 1);
        let (_, report) = resolver.explain(async |resolver| resolver.lookup_port("tcp", "http").await).await;
        assert_eq!(report.network(), "port");
        assert_eq!(*heard.lock().unwrap(), report.events().len());
    }
}
