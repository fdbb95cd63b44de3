//! Which server a call goes to: decided from what is known of each.

use std::time::Duration;

/// What is known of one server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Load {
    /// Those of the lowest number are used as long as one of them is well (RFC 2782).
    pub(super) priority: u16,
    /// How much it can take, compared to others of the same priority; 0 is next to nothing.
    pub(super) weight: u16,
    pub(super) in_flight: usize,
    pub(super) is_well: bool,
}

/// The longest that one server is dialed for while others are there to be tried.
const LONGEST_DIAL: Duration = Duration::from_secs(5);

/// How long a conn to one server may take to be made, of what is left for a call: half of it while others that are well
/// have not been tried, so that one that is silent does not take it all; and all of it when there are none.
pub(super) fn time_to_dial(left: Option<Duration>, has_others: bool) -> Option<Duration> {
    match left {
        left if !has_others => left,
        Some(left) => Some(LONGEST_DIAL.min(left / 2)),
        None => Some(LONGEST_DIAL),
    }
}

/// The servers in the order in which to try them: those that are well, by priority, then the others. Among the first, the
/// less busy of two taken at random by their weights comes first, so that callers who know nothing of each other do not
/// all choose the same. `random` gives a number below the one it is given.
pub(super) fn order(loads: &[Load], mut random: impl FnMut(u64) -> u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..loads.len()).collect();
    order.sort_by_key(|index| (!loads[*index].is_well, loads[*index].priority));
    let Some(&first) = order.first() else { return order };
    let tier = |load: &Load| (load.is_well, load.priority);
    let size = order.iter().take_while(|index| tier(&loads[**index]) == tier(&loads[first])).count();
    let head = &mut order[..size];
    // Those behind the chosen one in a random order, as they are tried when it fails.
    for index in (1..size).rev() {
        head.swap(index, random(index as u64 + 1) as usize);
    }
    let mut pick = || {
        let total: u64 = head.iter().map(|index| share(&loads[*index])).sum();
        let mut at = random(total);
        head.iter()
            .position(|index| {
                let share = share(&loads[*index]);
                let is_it = at < share;
                at = at.saturating_sub(share);
                is_it
            })
            .unwrap_or(0)
    };
    let (one, other) = (pick(), pick());
    let chosen = if is_busier(&loads[head[one]], &loads[head[other]]) { other } else { one };
    head.swap(0, chosen);
    order
}

/// Weight 0 still gets something, where there is nothing else (RFC 2782).
fn share(load: &Load) -> u64 {
    u64::from(load.weight) * 16 + 1
}

fn is_busier(one: &Load, other: &Load) -> bool {
    one.in_flight as u128 * u128::from(share(other)) > other.in_flight as u128 * u128::from(share(one))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn load(priority: u16, weight: u16, in_flight: usize, is_well: bool) -> Load {
        Load { priority, weight, in_flight, is_well }
    }

    /// Every number in turn.
    fn counting() -> impl FnMut(u64) -> u64 {
        let mut next = 0;
        move |below| {
            next += 1;
            next % below
        }
    }

    #[test]
    fn the_sick_come_last_and_the_lowest_priority_first() {
        let loads = [load(20, 1, 0, true), load(10, 1, 0, false), load(30, 1, 0, true)];
        assert_eq!(order(&loads, counting()), [0, 2, 1]);
        assert_eq!(order(&[], counting()), [0_usize; 0]);
    }

    #[test]
    fn the_less_busy_of_two_is_taken() {
        let loads = [load(0, 1, 50, true), load(0, 1, 3, true)];
        let mut random = fastrand::Rng::with_seed(7);
        let chosen = (0..1000).filter(|_| order(&loads, |below| random.u64(..below))[0] == 1).count();
        // Of four pairs, three have the idle one in them.
        assert!((650..850).contains(&chosen), "{chosen}");
    }

    #[test]
    fn a_dial_leaves_time_for_the_others() {
        let seconds = Duration::from_secs;
        for (left, has_others, expected) in [
            (None, false, None),
            (None, true, Some(seconds(5))),
            (Some(seconds(8)), false, Some(seconds(8))),
            (Some(seconds(8)), true, Some(seconds(4))),
            (Some(seconds(60)), false, Some(seconds(60))),
            (Some(seconds(60)), true, Some(seconds(5))),
            (Some(Duration::ZERO), true, Some(Duration::ZERO)),
        ] {
            assert_eq!(time_to_dial(left, has_others), expected, "{left:?} {has_others}");
        }
    }

    #[test]
    fn idle_servers_are_chosen_by_their_weights() {
        let loads = [load(0, 3, 0, true), load(0, 1, 0, true)];
        let mut random = fastrand::Rng::with_seed(7);
        let chosen = (0..1000).filter(|_| order(&loads, |below| random.u64(..below))[0] == 0).count();
        assert!((650..850).contains(&chosen), "{chosen}");
    }

    proptest! {
        #[test]
        fn every_server_is_tried_once(
            loads in prop::collection::vec((0..3_u16, 0..3_u16, 0..5_usize, any::<bool>()), 0..8),
            seed in any::<u64>(),
        ) {
            let loads: Vec<Load> = loads.iter().map(|&(p, w, i, h)| load(p, w, i, h)).collect();
            let mut random = fastrand::Rng::with_seed(seed);
            let mut tried = order(&loads, |below| random.u64(..below));
            let keys: Vec<_> = tried.iter().map(|i| (!loads[*i].is_well, loads[*i].priority)).collect();
            prop_assert!(keys.is_sorted());
            tried.sort_unstable();
            prop_assert!(tried.into_iter().eq(0..loads.len()));
        }
    }
}
