use proptest::prelude::*;

use super::*;

type Conns = Pool<&'static str, u32, &'static str>;

fn pool(per_host: usize) -> Conns {
    Pool::new(Limits { per_host, idle_per_host: 2, idle: 3, idle_timeout: Duration::from_secs(90) })
}

fn take(pool: &mut Conns, key: &'static str, now: Instant) -> Answer<u32, &'static str> {
    pool.take(&key, false, now, &(|_: &mut u32| true, |_: &&str| true))
}

#[test]
fn the_latest_idle_conn_is_used_again_and_stale_ones_are_not() {
    let (mut pool, now) = (pool(9), Instant::now());
    for conn in [1, 2] {
        assert_eq!(take(&mut pool, "a", now), Answer::Granted(Grant::Dial));
        assert!(pool.dialed_single(&"a").is_empty());
        // Both are busy at once, so the first is given back later.
        assert_eq!(pool.counts(), (0, conn));
    }
    for conn in [1, 2] {
        assert_eq!(pool.give_back(&"a", conn, now), (vec![], vec![]));
    }
    assert_eq!(take(&mut pool, "b", now), Answer::Granted(Grant::Dial));
    assert_eq!(take(&mut pool, "a", now), Answer::Granted(Grant::Single(2)));
    let answer = pool.take(&"a", false, now, &(|_: &mut u32| false, |_: &&str| true));
    assert_eq!(answer, Answer::Granted(Grant::Dial));
    assert_eq!(pool.counts(), (0, 1));
    assert!(pool.dialed_single(&"a").is_empty());
    assert_eq!(pool.give_back(&"a", 2, now), (vec![], vec![]));
    let later = now + Duration::from_secs(90);
    assert_eq!(take(&mut pool, "a", later), Answer::Granted(Grant::Dial));
}

#[test]
fn at_the_limit_requests_wait_in_order_for_a_conn_or_its_place() {
    let (mut pool, now) = (pool(1), Instant::now());
    assert_eq!(take(&mut pool, "a", now), Answer::Granted(Grant::Dial));
    assert!(pool.dialed_single(&"a").is_empty());
    let tickets: Vec<Ticket> = (0..4)
        .map(|_| match take(&mut pool, "a", now) {
            Answer::Wait(ticket) => ticket,
            granted => panic!("{granted:?}"),
        })
        .collect();
    assert_eq!(pool.give_back(&"a", 1, now), (vec![(tickets[0], Grant::Single(1))], vec![]));
    pool.abandon(&"a", tickets[1]);
    assert_eq!(pool.lost(&"a"), [(tickets[2], Grant::Dial)]);
    assert_eq!(pool.not_dialed(&"a"), [(tickets[3], Grant::Dial)]);
    assert!(pool.not_dialed(&"a").is_empty());
    assert!(pool.hosts.is_empty());
}

#[test]
fn what_may_be_shared_is_dialed_once() {
    let (mut pool, now) = (pool(9), Instant::now());
    let ask = |pool: &mut Conns| pool.take(&"a", true, now, &(|_: &mut u32| true, |_: &&str| true));
    assert_eq!(ask(&mut pool), Answer::Granted(Grant::Dial));
    let (Answer::Wait(one), Answer::Wait(two)) = (ask(&mut pool), ask(&mut pool)) else { panic!() };
    assert_eq!(pool.not_dialed(&"a"), [(one, Grant::Dial)]);
    assert_eq!(pool.dialed_shared(&"a", &"h2", now), [(two, Grant::Shared("h2"))]);
    assert_eq!(ask(&mut pool), Answer::Granted(Grant::Shared("h2")));
    let (_, none, Some(next)) = pool.sweep(now, |_| true, |_| false) else { panic!() };
    assert_eq!(none, [""; 0]);
    assert_eq!(pool.sweep(next, |_| true, |_| true), (vec![], vec![], Some(next + Duration::from_secs(90))));
    assert_eq!(pool.sweep(next + Duration::from_secs(90), |_| true, |_| false), (vec![], vec!["h2"], None));
    // Once the other protocol turns out to be spoken, all dial at once.
    assert_eq!(ask(&mut pool), Answer::Granted(Grant::Dial));
    let Answer::Wait(three) = ask(&mut pool) else { panic!() };
    assert_eq!(pool.dialed_single(&"a"), [(three, Grant::Dial)]);
    assert_eq!(ask(&mut pool), Answer::Granted(Grant::Dial));
}

#[test]
fn a_shared_conn_that_goes_away_is_not_given_again() {
    let (mut pool, now) = (pool(9), Instant::now());
    let ask = |pool: &mut Conns| pool.take(&"a", true, now, &(|_: &mut u32| true, |_: &&str| true));
    assert_eq!(ask(&mut pool), Answer::Granted(Grant::Dial));
    assert_eq!(pool.dialed_shared(&"a", &"old", now), []);
    assert_eq!(pool.retire(&"a", |conn| *conn == "old"), Some("old"));
    assert_eq!(ask(&mut pool), Answer::Granted(Grant::Dial));
    assert_eq!(pool.dialed_shared(&"a", &"new", now), []);
    // Late news of the old one.
    assert_eq!(pool.retire(&"a", |conn| *conn == "old"), None);
    assert_eq!(pool.retire(&"b", |_| true), None);
    assert_eq!(ask(&mut pool), Answer::Granted(Grant::Shared("new")));
}

#[test]
fn no_more_is_kept_than_the_limits_allow() {
    let (mut pool, now) = (pool(9), Instant::now());
    let at = |seconds| now + Duration::from_secs(seconds);
    let mut closed = Vec::new();
    for (key, conn) in [("a", 1), ("a", 2), ("a", 3), ("b", 4), ("b", 5)] {
        pool.take_new(&key);
        let _ = pool.dialed_single(&key);
        closed.extend(pool.give_back(&key, conn, at(conn.into())).1);
    }
    assert_eq!(closed, [1, 2]);
    assert_eq!(pool.counts(), (3, 3));
    let (mut old, _, next) = pool.sweep(at(94), |_| true, |_| false);
    old.sort_unstable();
    assert_eq!((old, next), (vec![3, 4], Some(at(95))));
}

proptest! {
    /// Whatever happens in whatever order, the counts agree with what was handed out, and nobody is forgotten.
    #[test]
    fn the_books_balance(per_host in 1usize..4, may_share: bool, steps in prop::collection::vec((0u8..8, 0usize..8), 0..200)) {
        let (mut pool, now) = (pool(per_host), Instant::now());
        let (mut dialing, mut busy, mut waiting) = (0, Vec::new(), Vec::new());
        let mut next = 0;
        for (step, which) in steps {
            let grants = match step {
                0..=2 => match pool.take(&"a", may_share, now, &(|_: &mut u32| true, |_: &&str| true)) {
                    Answer::Granted(grant) => vec![(u64::MAX, grant)],
                    Answer::Wait(ticket) => { waiting.push(ticket); vec![] }
                },
                3 if dialing > 0 => { dialing -= 1; next += 1; busy.push(next); pool.dialed_single(&"a") }
                4 if dialing > 0 => { dialing -= 1; pool.not_dialed(&"a") }
                5 if !busy.is_empty() => { let conn = busy.swap_remove(which % busy.len()); pool.give_back(&"a", conn, now).0 }
                6 if !busy.is_empty() => { busy.swap_remove(which % busy.len()); pool.lost(&"a") }
                7 if !waiting.is_empty() => { let ticket = waiting.swap_remove(which % waiting.len()); pool.abandon(&"a", ticket); vec![] }
                _ => vec![],
            };
            for (ticket, grant) in grants {
                waiting.retain(|waiting| *waiting != ticket);
                match grant { Grant::Dial => dialing += 1, Grant::Single(conn) => busy.push(conn), Grant::Shared(_) => unreachable!() }
            }
            let (idle, all) = pool.counts();
            prop_assert_eq!(all, busy.len() + idle);
            prop_assert!(all + dialing <= per_host);
            // Who waits, waits for somebody.
            prop_assert!(waiting.is_empty() || dialing + busy.len() > 0);
        }
    }
}
