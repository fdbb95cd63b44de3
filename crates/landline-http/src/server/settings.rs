//! What a server allows, and when it has waited for long enough. Pure code.

use std::time::Duration;

/// The limits of a server; each has a setter of [`Server`](super::Server).
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) head_timeout: Duration,
    pub(super) idle_timeout: Duration,
    pub(super) body_timeout: Duration,
    pub(super) write_timeout: Duration,
    pub(super) handshake_timeout: Duration,
    pub(super) linger_timeout: Duration,
    pub(super) write_buffer: usize,
    pub(super) max_head: usize,
    pub(super) max_body: u64,
    pub(super) max_requests: u32,
    pub(super) half_close: bool,
    pub(super) http2: Http2,
}

/// Those of HTTP/2 alone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Http2 {
    pub(super) max_streams: u32,
    pub(super) max_header_list: u32,
    pub(super) max_resets: usize,
    pub(super) max_error_resets: usize,
    pub(super) ping_interval: Option<Duration>,
    pub(super) ping_timeout: Duration,
    pub(super) extended_connect: bool,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            head_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(120),
            body_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            handshake_timeout: Duration::from_secs(10),
            linger_timeout: Duration::from_secs(30),
            write_buffer: 256 << 10,
            max_head: 1 << 20,
            max_body: 1 << 30,
            max_requests: u32::MAX,
            half_close: false,
            http2: Http2 {
                max_streams: 200,
                max_header_list: 64 << 10,
                max_resets: 20,
                max_error_resets: 1024,
                ping_interval: Some(Duration::from_secs(30)),
                ping_timeout: Duration::from_secs(20),
                extended_connect: false,
            },
        }
    }
}

/// How often it is looked for conns that take too long.
pub(super) const TICK: Duration = Duration::from_millis(500);

/// A moment, in ticks since the worker began; 0 is never.
pub(super) type Tick = u32;

/// So many ticks have certainly gone by when this time has.
pub(super) fn ticks(time: Duration) -> u32 {
    let ticks = time.as_millis().div_ceil(TICK.as_millis()).saturating_add(1);
    u32::try_from(ticks).unwrap_or(u32::MAX)
}

fn has_passed(since: Tick, limit: Duration, now: Tick) -> bool {
    since != 0 && now.saturating_sub(since) >= ticks(limit)
}

/// Whether a conn is idle, rather than in use and between two requests: for two ticks.
pub(super) fn is_idle_for_long(since: Tick, now: Tick) -> bool {
    since != 0 && now.saturating_sub(since) >= 2
}

/// What a conn is doing, and since when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Doing {
    /// Requests that the handler has, responses on their way, and bodies still to be read.
    pub(super) in_flight: u32,
    /// A head has begun and is not complete.
    pub(super) heading_since: Tick,
    /// The last response has gone.
    pub(super) idle_since: Tick,
    /// A handler waits for more of a body.
    pub(super) body_since: Tick,
    /// The peer takes nothing of what it is sent.
    pub(super) writing_since: Tick,
}

/// What is to be done about a conn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    GoOn,
    /// It is idle: what it needs for a request can be given up.
    Park,
    /// It has been idle for too long.
    End,
    /// The peer is too slow.
    Cut(Late),
}

/// What has taken too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Late {
    Head,
    Body,
    Write,
}

impl Late {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Late::Head => "the head of a request",
            Late::Body => "the body of a request",
            Late::Write => "a write",
        }
    }
}

impl Settings {
    /// Whether a response of which nothing could be sent since then is to be given up.
    pub(super) fn is_stalled(&self, since: Tick, now: Tick) -> bool {
        has_passed(since, self.write_timeout, now)
    }

    pub(super) fn judge(&self, doing: Doing, now: Tick) -> Verdict {
        let late = |since: Tick, limit: Duration| has_passed(since, limit, now);
        if late(doing.writing_since, self.write_timeout) {
            return Verdict::Cut(Late::Write);
        }
        if doing.in_flight > 0 {
            let body = late(doing.body_since, self.body_timeout);
            return if body { Verdict::Cut(Late::Body) } else { Verdict::GoOn };
        }
        if late(doing.heading_since, self.head_timeout) {
            return Verdict::Cut(Late::Head);
        }
        if doing.heading_since != 0 || doing.writing_since != 0 {
            return Verdict::GoOn;
        }
        if late(doing.idle_since, self.idle_timeout) {
            return Verdict::End;
        }
        if is_idle_for_long(doing.idle_since, now) {
            return Verdict::Park;
        }
        Verdict::GoOn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_too_long_and_what_does_not() {
        let settings = Settings {
            head_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(60),
            body_timeout: Duration::from_secs(20),
            write_timeout: Duration::from_secs(30),
            ..Settings::default()
        };
        let none = Doing::default();
        for (doing, now, verdict) in [
            (none, 1_000_000, Verdict::GoOn),
            (Doing { heading_since: 5, ..none }, 5 + 20, Verdict::GoOn),
            (Doing { heading_since: 5, ..none }, 5 + 21, Verdict::Cut(Late::Head)),
            (Doing { idle_since: 5, ..none }, 6, Verdict::GoOn),
            (Doing { idle_since: 5, ..none }, 7, Verdict::Park),
            (Doing { idle_since: 5, ..none }, 5 + 121, Verdict::End),
            (Doing { idle_since: 5, heading_since: 100, ..none }, 110, Verdict::GoOn),
            (Doing { in_flight: 1, idle_since: 5, ..none }, 1_000_000, Verdict::GoOn),
            (Doing { in_flight: 1, body_since: 10, ..none }, 10 + 40, Verdict::GoOn),
            (Doing { in_flight: 1, body_since: 10, ..none }, 10 + 41, Verdict::Cut(Late::Body)),
            (Doing { in_flight: 1, writing_since: 10, ..none }, 10 + 61, Verdict::Cut(Late::Write)),
            (Doing { writing_since: 10, idle_since: 9, ..none }, 20, Verdict::GoOn),
        ] {
            assert_eq!(settings.judge(doing, now), verdict, "{doing:?} {now}");
        }
    }

    #[test]
    fn a_response_stalls_only_while_something_of_it_is_unsent() {
        let settings = Settings { write_timeout: Duration::from_secs(30), ..Settings::default() };
        assert!(!settings.is_stalled(0, 1_000_000));
        assert!(!settings.is_stalled(10, 10 + 60));
        assert!(settings.is_stalled(10, 10 + 61));
    }

    #[test]
    fn no_time_ends_early() {
        assert_eq!(ticks(Duration::ZERO), 1);
        assert_eq!(ticks(Duration::from_millis(500)), 2);
        assert_eq!(ticks(Duration::from_millis(501)), 3);
        assert_eq!(ticks(Duration::MAX), u32::MAX);
    }
}
