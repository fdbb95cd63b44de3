//! System calls that explain themselves.

use rustix::io::Errno;

use crate::error::Cause;
use crate::explain::{Explainer, What};

/// Tells the explainer of each call of one attempt.
#[derive(Clone, Copy)]
pub(crate) struct Traced<'a> {
    pub(crate) explainer: &'a Explainer,
    /// The attempt's number, from 1; 0 for a socket that is not dialed.
    pub(crate) attempt: u32,
}

impl Traced<'_> {
    /// Nobody listens.
    pub(crate) const SILENT: Traced<'static> = Traced { explainer: &Explainer::SILENT, attempt: 0 };

    /// Tells of a finished call and names it in its error.
    pub(crate) fn call<T>(
        &self,
        call: &'static str,
        detail: impl FnOnce() -> String,
        result: Result<T, Errno>,
    ) -> Result<T, Cause> {
        let error = result.as_ref().err().copied();
        self.explainer.tell(|| What::SystemCall { attempt: self.attempt, call, detail: detail(), error });
        result.map_err(|error| Cause::System { call, error })
    }

    /// Sets an option that the caller asked for: a failure is an error.
    pub(crate) fn require(&self, option: &'static str, result: Result<(), Errno>) -> Result<(), Cause> {
        let error = result.err();
        self.tell_option(option, error);
        match error {
            None => Ok(()),
            Some(error) => Err(Cause::System { call: option, error }),
        }
    }

    /// Sets a default option: a failure is an event.
    pub(crate) fn prefer(&self, option: &'static str, result: Result<(), Errno>) {
        match result {
            Ok(()) => self.tell_option(option, None),
            Err(error) => {
                self.explainer.tell(|| What::DefaultNotSet { attempt: self.attempt, option, error });
            }
        }
    }

    pub(crate) fn fell_back(&self, what: impl FnOnce() -> String) {
        self.explainer.tell(|| What::FellBack { attempt: self.attempt, what: what() });
    }

    fn tell_option(&self, option: &'static str, error: Option<Errno>) {
        self.explainer.tell(|| What::SystemCall {
            attempt: self.attempt,
            call: "setsockopt",
            detail: option.to_owned(),
            error,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::Event;
    use std::sync::{Arc, Mutex};

    #[test]
    fn in_silence_nothing_is_put_into_words() {
        let traced = Traced::SILENT;
        assert_eq!(traced.call("connect", || unreachable!("nobody listens"), Ok(7)).unwrap(), 7);
        let refused =
            traced.call::<()>("connect", || unreachable!("nobody listens"), Err(Errno::CONNREFUSED));
        assert!(matches!(refused, Err(Cause::System { call: "connect", error: Errno::CONNREFUSED })));
        traced.fell_back(|| unreachable!("nobody listens"));
        traced.explainer.tell(|| unreachable!("nobody listens"));
    }

    #[test]
    fn a_default_that_is_refused_is_told_and_an_option_asked_for_is_an_error() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let keep = told.clone();
        let explainer =
            Explainer::new(Arc::new(move |event: &Event| keep.lock().unwrap().push(event.what.clone())));
        let traced = Traced { explainer: &explainer, attempt: 3 };
        traced.prefer("TCP_NODELAY", Err(Errno::PERM));
        let required = traced.require("SO_MARK", Err(Errno::PERM));
        assert!(matches!(required, Err(Cause::System { call: "SO_MARK", error: Errno::PERM })));
        let told = told.lock().unwrap();
        assert!(
            matches!(
                told[..],
                [
                    What::DefaultNotSet { attempt: 3, option: "TCP_NODELAY", error: Errno::PERM },
                    What::SystemCall { attempt: 3, call: "setsockopt", error: Some(Errno::PERM), .. },
                ]
            ),
            "{told:?}"
        );
    }
}
