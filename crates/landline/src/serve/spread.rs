//! How conns are spread over the workers: which socket takes one, and which worker serves it. Pure code.

/// How conns come to the workers of a [`Server`](crate::Server).
///
/// Where an address has one socket only, as a Unix socket's or one that was inherited, its conns are accepted by one
/// worker and spread as [`Spread::LeastConns`] does, whatever is chosen here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Spread {
    /// A socket for each worker, among which the kernel chooses by a hash of the addresses (`SO_REUSEPORT`,
    /// socket(7)), and a worker that has clearly more conns than another hands over what it accepts. So many short
    /// conns stay where they arrive, and few long ones are shared evenly.
    #[default]
    Balanced,
    /// A socket for each worker, and every conn stays where the kernel's hash put it. With few conns some workers may
    /// have none and others several; with many short ones it differs little from [`Spread::Balanced`].
    ReusePort,
    /// As [`Spread::ReusePort`], but the kernel prefers the worker that runs where the conn's packets arrive
    /// (`SO_INCOMING_CPU`), and each worker is pinned to a CPU. It pays where the network card spreads packets evenly
    /// over the CPUs; over loopback, conns go to the CPU of the client.
    IncomingCpu,
    /// One socket, from which the first worker accepts; each conn goes to the worker that has the fewest.
    LeastConns,
}

/// What one listening socket's conns do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Placement {
    /// They stay with the worker that accepts them.
    Stay,
    /// They stay unless another worker has clearly fewer conns.
    Balance,
    /// They go to the worker with the fewest.
    Least,
}

impl Spread {
    /// Whether each worker is to have a socket of its own.
    pub(super) fn wants_sockets_each(self) -> bool {
        !matches!(self, Spread::LeastConns)
    }

    /// For the conns of an address with so many sockets, served by so many workers.
    pub(super) fn placement(self, sockets: usize, workers: usize) -> Placement {
        match self {
            _ if workers == 1 => Placement::Stay,
            // Workers without a socket of their own have only what is handed to them.
            _ if sockets < workers => Placement::Least,
            Spread::Balanced => Placement::Balance,
            Spread::ReusePort | Spread::IncomingCpu => Placement::Stay,
            Spread::LeastConns => Placement::Least,
        }
    }
}

/// With more workers than this, a few others are looked at in place of all: two choices are nearly as good as all
/// (Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", 2001), and each look is at another CPU's
/// cache line.
const LOOKED_AT: usize = 8;

impl Placement {
    /// The worker for a conn that worker `own` has accepted, of so many workers, the conns of each being `conns(it)`.
    pub(super) fn choose(self, own: usize, workers: usize, conns: impl Fn(usize) -> u64) -> usize {
        if self == Placement::Stay {
            return own;
        }
        let others = workers - 1;
        let looked_at = others.min(LOOKED_AT);
        // Begins anywhere, so that of equals not always the same is chosen.
        let first = if others > looked_at { fastrand::usize(..others) } else { 0 };
        let own_conns = conns(own);
        let least = (0..looked_at)
            .map(|step| (own + 1 + (first + step) % others) % workers)
            .map(|worker| (conns(worker), worker))
            .min();
        match least {
            Some((least_conns, worker)) if own_conns > least_conns + self.slack(least_conns) => worker,
            _ => own,
        }
    }

    /// How many conns more than another a worker may have and still keep what it accepts. A hand-over costs the waking
    /// of another thread, so the chance differences of many conns are left alone, while of few every one counts.
    fn slack(self, least: u64) -> u64 {
        match self {
            Placement::Balance => least / 4,
            Placement::Stay | Placement::Least => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn choose(placement: Placement, own: usize, conns: &[u64]) -> usize {
        placement.choose(own, conns.len(), |worker| conns[worker])
    }

    #[test]
    fn the_least_is_chosen_and_the_own_before_equals() {
        assert_eq!(choose(Placement::Least, 0, &[3, 1, 2]), 1);
        assert_eq!(choose(Placement::Least, 0, &[1, 1, 1]), 0);
        assert_eq!(choose(Placement::Least, 2, &[1, 1, 1]), 2);
        assert_eq!(choose(Placement::Stay, 0, &[9, 0]), 0);
    }

    #[test]
    fn few_conns_are_balanced_and_small_differences_of_many_left() {
        assert_eq!(choose(Placement::Balance, 0, &[1, 0]), 1);
        assert_eq!(choose(Placement::Balance, 0, &[0, 0]), 0);
        assert_eq!(choose(Placement::Balance, 0, &[4, 3]), 1);
        assert_eq!(choose(Placement::Balance, 0, &[40, 33]), 0);
        assert_eq!(choose(Placement::Balance, 0, &[60, 33]), 1);
    }

    #[test]
    fn where_workers_outnumber_sockets_conns_are_handed_over() {
        for spread in [Spread::Balanced, Spread::ReusePort, Spread::IncomingCpu, Spread::LeastConns] {
            assert_eq!(spread.placement(1, 4), Placement::Least);
            assert_eq!(spread.placement(1, 1), Placement::Stay);
        }
        assert_eq!(Spread::Balanced.placement(4, 4), Placement::Balance);
        assert_eq!(Spread::ReusePort.placement(4, 4), Placement::Stay);
    }

    proptest! {
        #[test]
        fn few_long_conns_end_up_even(workers in 1_usize..9, arrivals in prop::collection::vec(0_usize..100, 1..200)) {
            let mut conns = vec![0; workers];
            for arrival in arrivals {
                let worker = choose(Placement::Balance, arrival % workers, &conns);
                conns[worker] += 1;
            }
            let (least, most) = (conns.iter().min().unwrap(), conns.iter().max().unwrap());
            prop_assert!(*most <= least + least / 4 + 1, "{conns:?}");
        }

        #[test]
        fn any_number_of_workers_is_chosen_from(own in 0_usize..40, workers in 1_usize..40) {
            let own = own % workers;
            let chosen = Placement::Least.choose(own, workers, |worker| u64::from(worker == own));
            prop_assert!(chosen < workers);
            prop_assert_eq!(chosen == own, workers == 1);
        }
    }
}
