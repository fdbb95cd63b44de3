//! Running out of descriptors. Whoever does needs a process of its own, because the limit is the whole process's.

use std::fs::File;

/// Lowers the limit to a little above what is open, and opens files up to it.
pub(crate) fn take_all_descriptors() -> Vec<File> {
    let mut limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit.current = Some(256);
    rustix::process::setrlimit(rustix::process::Resource::Nofile, limit).unwrap();
    let mut hoard = Vec::new();
    loop {
        match File::open("/dev/null") {
            Ok(file) => hoard.push(file),
            Err(error) => {
                assert_eq!(error.raw_os_error(), Some(rustix::io::Errno::MFILE.raw_os_error()));
                return hoard;
            }
        }
    }
}
