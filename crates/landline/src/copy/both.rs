//! Two directions at once.

use std::task::{Context, Poll};

use super::bell::Bells;
use super::end::sealed::{Sink, Source};
use super::failure::Failure;
use super::pump::Pump;

/// Both directions between two conns, until both have ended.
pub(super) struct Both<'a, A: ?Sized, B: ?Sized> {
    pub(super) there: Pump<'a, A, B>,
    pub(super) back: Pump<'a, B, A>,
    bells: Bells,
    /// Whether what wakes one direction may be meant for the other.
    mixed: bool,
    ended: [bool; 2],
    first_failure: Option<(Direction, Failure)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    There,
    Back,
}

impl<'a, A: Source + Sink + ?Sized, B: Source + Sink + ?Sized> Both<'a, A, B> {
    pub(super) fn new(there: Pump<'a, A, B>, back: Pump<'a, B, A>) -> Both<'a, A, B> {
        let mixed = there.mixes_wakers() || back.mixes_wakers();
        Both { there, back, bells: Bells::new(), mixed, ended: [false; 2], first_failure: None }
    }

    /// Ready when both have ended, or when there is no sense in going on; with the first failure, where there was one.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), (Direction, Failure)>> {
        let mut rung = self.bells.rung(cx.waker());
        if self.mixed {
            rung = [true; 2];
        }
        for direction in [Direction::There, Direction::Back] {
            if self.ended[direction as usize] || !rung[direction as usize] {
                continue;
            }
            let mut cx = Context::from_waker(self.bells.waker(direction as usize));
            let polled = match direction {
                Direction::There => self.there.poll(&mut cx),
                Direction::Back => self.back.poll(&mut cx),
            };
            match polled {
                Poll::Pending => continue,
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(failure)) => {
                    let goes_on = failure.leaves_the_other();
                    let is_reset = failure.is_reset_of_sink();
                    self.first_failure.get_or_insert((direction, failure));
                    if !goes_on {
                        self.ended = [true; 2];
                        break;
                    }
                    match direction {
                        Direction::There => self.there.refuse_more(),
                        Direction::Back => self.back.refuse_more(),
                    }
                    if is_reset {
                        match direction {
                            Direction::There => self.back.keep_end(),
                            Direction::Back => self.there.keep_end(),
                        }
                    }
                }
            }
            self.ended[direction as usize] = true;
        }
        if self.ended == [true; 2] {
            return Poll::Ready(self.first_failure.take().map_or(Ok(()), Err));
        }
        Poll::Pending
    }

    /// How many bytes both have taken.
    pub(super) fn moved(&self) -> u64 {
        self.there.moved() + self.back.moved()
    }
}
