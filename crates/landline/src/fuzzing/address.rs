//! Addresses and networks as users write them, and the order of destinations.

use std::ffi::OsStr;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::os::unix::ffi::OsStrExt;

use crate::addr::{Addr, ScopedIp, UnixAddr, join_host_port, split_host_port};
use crate::network::Network;
use crate::order::{Candidate, PolicyTable, Source, sort};

pub fn host_port(data: &[u8]) {
    if let Ok(addr) = UnixAddr::parse(OsStr::from_bytes(data)) {
        let shown = Addr::from(addr.clone()).to_string();
        if shown.as_bytes() == data {
            assert_eq!(UnixAddr::parse(OsStr::new(&shown)).as_ref(), Ok(&addr));
        }
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    match split_host_port(text) {
        Ok((host, port)) => {
            let joined = join_host_port(host, port);
            assert_eq!(split_host_port(&joined), Ok((host, port)), "joined as {joined:?}");
            // A zone is looked up in the kernel, which would only slow this down.
            if let Some(Ok(ip)) = (!host.contains('%')).then(|| ScopedIp::parse_literal(host)).flatten() {
                assert_eq!(ScopedIp::parse_literal(&ip.to_string()), Some(Ok(ip)));
            }
        }
        Err(error) => assert_eq!(error.address(), text),
    }
}

pub fn network(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match text.parse::<Network>() {
        Ok(network) => assert_eq!(network.to_string().parse(), Ok(network)),
        Err(error) => assert!(error.to_string().contains(text.split(':').next().unwrap_or_default())),
    }
}

/// The input is a list of candidates, each of one byte of flags, a destination and a source of 16 bytes each.
pub fn order(data: &[u8]) {
    let candidates: Vec<Candidate> = data.chunks_exact(33).take(64).zip(0..).map(candidate).collect();
    let policy = PolicyTable::default();
    let ordered = sort(&candidates, &policy);

    let mut ports: Vec<u16> = ordered.iter().map(|ordered| ordered.address.port()).collect();
    let again: Vec<Candidate> = ports.iter().map(|&port| candidates[usize::from(port)]).collect();
    assert_eq!(sort(&again, &policy), ordered, "sorting again changes it");
    ports.sort_unstable();
    assert!(ports.iter().copied().eq(0..candidates.len() as u16), "{ports:?} is no permutation");
    for ordered in &ordered {
        assert!(ordered.decided_by.is_none_or(|rule| (1..=9).contains(&rule)), "{ordered:?}");
    }
}

fn candidate((bytes, port): (&[u8], u16)) -> Candidate {
    let ip = |at: usize| {
        let octets: [u8; 16] = bytes[at..at + 16].try_into().unwrap_or_default();
        IpAddr::V6(Ipv6Addr::from(octets)).to_canonical()
    };
    let flag = |bit: u8| bytes[0] & bit != 0;
    let source = Source {
        ip: ScopedIp::from(ip(17)),
        deprecated: flag(0x02),
        home: flag(0x04),
        encapsulated: flag(0x08),
    };
    Candidate { address: SocketAddr::new(ip(1), port), source: flag(0x01).then_some(source) }
}
