//! Ours: `Server`; and by hand, `landline::listen` and `accept`, a task per conn on one thread.

use std::io;

use landline::Conn;

use crate::{
    accepting,
    args::Workers,
    runtime::{self, Threads},
    serving,
};

pub(crate) fn serve(workers: Workers) -> io::Result<()> {
    serving::serve(workers, answer)
}

pub(crate) fn accept() -> io::Result<()> {
    runtime::run(Threads::One, accepting::serve(answer))
}

async fn answer(conn: Conn) -> io::Result<()> {
    if conn.read(&mut [0]).await? == 1 {
        conn.write_all(b"a").await?;
    }
    Ok(())
}
