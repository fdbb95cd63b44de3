//! Servers as processes: signals, and restarts under clients that never stop connecting. This program is the test and,
//! told so by its environment, also the servers.

mod clients;
mod restart;
mod server;
mod signals;

use std::panic::catch_unwind;
use tokio::time::Instant;

/// By name, run one after another.
const TESTS: &[(&str, fn())] = &[
    ("sigterm_and_sigint_drain", signals::sigterm_and_sigint_drain),
    ("a_second_signal_cuts_the_drain_short", signals::a_second_signal_cuts_the_drain_short),
    ("a_server_drains_on_signals_of_its_choice", signals::a_server_drains_on_signals_of_its_choice),
    ("an_ignored_signal_stays_ignored", signals::an_ignored_signal_stays_ignored),
    ("a_restart_under_clients_that_never_stop_loses_no_conn", restart::loses_no_conn),
    ("a_restart_keeps_a_unix_socket", restart::keeps_a_unix_socket),
    ("a_restart_keeps_a_udp_port", restart::keeps_a_udp_port),
    ("the_old_server_serves_its_conns_to_the_deadline", restart::old_conns_are_served_to_the_deadline),
    ("a_successor_that_dies_changes_nothing", restart::a_successor_that_dies_changes_nothing),
    ("a_server_told_to_end_leaves_its_files_to_its_successor", restart::files_are_the_successors),
    ("a_server_told_to_end_removes_its_files_if_its_successor_dies", restart::files_are_nobodys),
    ("a_server_that_was_killed_is_followed_by_a_new_one", restart::after_a_kill_a_new_one_begins),
    ("who_is_not_allowed_to_take_over_is_not_let", restart::strangers_are_not_let),
];

fn main() {
    if server::is_wanted() {
        return server::run();
    }
    // As cargo's harness is called, as far as one needs it.
    let wanted: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|wanted| name.contains(&**wanted));
    if std::env::args().any(|arg| arg == "--list") {
        TESTS.iter().for_each(|(name, _)| println!("{name}: test"));
        return;
    }
    let began = Instant::now();
    let (mut passed, mut failed, mut left_out) = (0, 0, 0);
    println!("\nrunning {} tests", TESTS.iter().filter(|(name, _)| is_wanted(name)).count());
    for (name, test) in TESTS {
        if !is_wanted(name) {
            left_out += 1;
            continue;
        }
        let ok = catch_unwind(test).is_ok();
        println!("test {name} ... {}", if ok { "ok" } else { "FAILED" });
        if ok { passed += 1 } else { failed += 1 }
    }
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    let spent = began.elapsed().as_secs_f64();
    println!(
        "\ntest result: {verdict}. {passed} passed; {failed} failed; 0 ignored; 0 measured; {left_out} filtered out; finished in {spent:.2}s\n"
    );
    std::process::exit(i32::from(failed > 0) * 101);
}
