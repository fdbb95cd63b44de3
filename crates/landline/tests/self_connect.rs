//! Sockets that TCP would let connect to themselves, in a network namespace where the kernel has next to no other port.

mod namespace;

use landline::explain::{Report, What};
use landline::{Conn, Dialer, Error, ListenConfig};

/// Loopback, and an address of this host's own that is not on it.
const ADDRESSES: [&str; 3] = ["127.0.0.1", "[::1]", "192.0.2.1"];
const OWN_ADDRESS: &str = "ip addr add 192.0.2.1/32 dev lo";

fn ports(low: u16, high: u16) {
    std::fs::write("/proc/sys/net/ipv4/ip_local_port_range", format!("{low} {high}")).unwrap();
}

async fn dial(address: &str) -> (Result<Conn, Error>, usize, Report) {
    let (result, report) = Dialer::new().explain("tcp", address).await;
    let themselves = report.events().iter().filter(|event| matches!(event.what, What::SelfConnect { .. }));
    (result, themselves.count(), report)
}

/// How often a call was made.
fn calls(report: &Report, name: &str) -> usize {
    let is_it = |what: &What| matches!(what, What::SystemCall { call, .. } if *call == name);
    report.events().iter().filter(|event| is_it(&event.what)).count()
}

#[test]
fn nobody_at_the_only_port_there_is_refuses_the_dial() {
    if !namespace::inside("nobody_at_the_only_port_there_is_refuses_the_dial", OWN_ADDRESS) {
        return;
    }
    ports(50_000, 50_000);
    namespace::block_on(async {
        for host in ADDRESSES {
            let address = format!("{host}:50000");
            // As often as asked: no attempt leaves the port in TIME-WAIT.
            for _ in 0..3 {
                let (result, themselves, _) = dial(&address).await;
                let error = result.unwrap_err();
                assert!(error.is_connection_refused(), "{error}");
                assert_eq!(error.to_string(), format!("dial tcp {address}: connect: connection refused"));
                assert_eq!(themselves, 3, "the attempt and two more");
            }
        }
    });
}

/// A connect takes every second port as long as there is one; here there is none, and it takes those between.
#[test]
fn the_other_half_of_the_ports_is_looked_at_too() {
    if !namespace::inside("the_other_half_of_the_ports_is_looked_at_too", OWN_ADDRESS) {
        return;
    }
    ports(50_000, 50_001);
    namespace::block_on(async {
        for host in ADDRESSES {
            let _taken = ListenConfig::new().listen_tcp(&format!("{host}:50000")).await.unwrap();
            let (result, themselves, _) = dial(&format!("{host}:50001")).await;
            assert!(result.unwrap_err().is_connection_refused());
            assert_eq!(themselves, 3, "{host}");
        }
    });
}

#[test]
fn of_many_dials_at_once_none_takes_itself_for_its_peer() {
    if !namespace::inside("of_many_dials_at_once_none_takes_itself_for_its_peer", "true") {
        return;
    }
    ports(50_000, 50_003);
    namespace::block_on(async {
        let dials =
            (0..400).map(|number| async move { dial(&format!("127.0.0.1:{}", 50_000 + number % 4)).await });
        for (result, ..) in futures_util::future::join_all(dials).await {
            match result {
                // Two of them may meet, each dialing the other's port, and are then connected as they should be.
                Ok(conn) => assert_ne!(conn.local_addr().unwrap(), conn.peer_addr().unwrap()),
                // Where the others have taken every port there is none to be had, which is an error too.
                Err(error) => {
                    let error = error.to_string();
                    let known = ["connection refused", "cannot assign requested address"];
                    assert!(known.iter().any(|words| error.ends_with(words)), "{error}");
                }
            }
        }
    });
}

/// The usual dial: the answer to one question tells that it is connected, and to whom.
#[tokio::test]
async fn a_peer_on_loopback_is_known_to_be_another_without_a_call_more() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let listener = ListenConfig::new().listen_tcp(address).await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        for _ in 0..20 {
            let (result, themselves, report) = dial(&address).await;
            result.unwrap();
            assert_eq!(themselves, 0);
            let made = ["socket", "connect", "getsockopt"].map(|name| calls(&report, name));
            assert_eq!(made, [1, 1, 1], "{report:?}");
            // On a busy machine the answer may come later than the question.
            let told = report.events().iter().any(|event| {
                matches!(&event.what, What::SystemCall { detail, .. } if detail == "TCP_INFO: established")
            });
            assert_eq!(calls(&report, "getsockname"), usize::from(!told), "{report:?}");
        }
    }
}
