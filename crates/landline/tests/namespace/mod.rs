//! Tests that need a network namespace of their own: they run themselves again in one.

use std::process::Command;

const INSIDE: &str = "LANDLINE_TEST_NAMESPACE";

/// Whether this process is already in a namespace made for the test called `test`; if not, runs that test of this
/// program in one, after `prepare`, lines of shell, and fails if it fails. Where no namespace can be made, says why.
pub(crate) fn inside(test: &str, prepare: &str) -> bool {
    inside_by(test, prepare, "")
}

/// The same without root's privileges.
#[allow(dead_code)] // Not every program of tests needs it.
pub(crate) fn inside_as_nobody(test: &str, prepare: &str) -> bool {
    let nobody = "setpriv --reuid=65534 --regid=65534 --clear-groups";
    // Where the program itself is out of nobody's reach, the test is not tried.
    inside_by(test, &format!("{prepare} && {nobody} test -x \"$0\""), nobody)
}

fn inside_by(test: &str, prepare: &str, user: &str) -> bool {
    if std::env::var(INSIDE).is_ok_and(|inside| inside == test) {
        return true;
    }
    let script = format!(
        "ip link set lo up && {prepare} && echo ready && exec {user} \"$0\" --exact {test} --nocapture"
    );
    let output = Command::new("unshare")
        .args(["--net", "--", "sh", "-c", &script])
        .arg(std::env::current_exe().unwrap())
        .env(INSIDE, test)
        .output();
    match output {
        Ok(output) if output.stdout.starts_with(b"ready") => {
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{}{stderr}", String::from_utf8_lossy(&output.stdout));
        }
        Ok(output) => {
            eprintln!("not tried: no network namespace: {}", String::from_utf8_lossy(&output.stderr));
        }
        Err(error) => eprintln!("not tried: unshare: {error}"),
    }
    false
}

/// Runs a test that must not begin before [`inside`] has been asked.
pub(crate) fn block_on(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}
