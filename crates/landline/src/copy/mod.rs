//! Between steps 7 and 8 and whatever stands on them: moving bytes from one conn to another by the shortest path the
//! kernel has.
//!
//! | | |
//! |---|---|
//! | `copier` | how to copy, and the futures that do it |
//! | `both`, `bell` | two directions until both have ended, and which of them was woken |
//! | `pump` | one direction: take, give, hold at most one portion |
//! | `failure` | which side failed, and whether the other direction goes on: pure |
//! | `route` | which path the bytes take: pure |
//! | `end`, `shared_stream` | what can be copied from and to |
//! | `pipes`, `scratch` | what copies share: pipes to splice through, a buffer for each thread |
//! | `copied`, `progress`, `voice`, `idle` | what it tells, and when it has waited long enough |

mod bell;
mod both;
mod copied;
mod copier;
mod end;
mod failure;
mod idle;
mod pipes;
mod progress;
mod pump;
mod route;
mod scratch;
mod shared_stream;
mod voice;

pub use copied::{Copied, CopyPath, Detour};
pub use copier::Copier;
pub use end::{CopySink, CopySource};
pub use progress::Progress;
pub use shared_stream::SharedStream;

use crate::error::Result;

/// Copies from `source` to `destination` until the source ends, by the shortest path that the kernel has for the two,
/// and says which that was.
///
/// | from | to | path |
/// |---|---|---|
/// | TCP, Unix stream | TCP, Unix stream | splice(2) through a pipe; what comes in small pieces by a buffer, which costs less |
/// | a file | TCP, Unix stream | sendfile(2) |
/// | anything else | anything else | a buffer |
///
/// The end of the source is passed on: the destination's writing side is closed, unless the source is a file or the
/// [`Copier`] is told to [keep it open](Copier::keep_open). Deadlines and bound contexts of the two conns hold, and end
/// the copy as they end a read or a write.
///
/// A copy that waits for its source holds neither a buffer nor a pipe. When the destination is slow, it holds one
/// portion, at most 512 KiB, and takes no more.
///
/// Between sockets that keep messages, each message is passed on as one, an empty one too. To a stream, messages are
/// joined; of a stream, each read makes a message, of 1,200 bytes at most. Datagrams have no end; end the copy with a
/// limit, a deadline, or by dropping it.
///
/// # Errors
/// The operation tells which side failed: [`Operation::Read`](crate::Operation::Read) the source,
/// [`Operation::Write`](crate::Operation::Write) the destination. What was read before the source failed has been
/// delivered. [`Error::copied`](crate::Error::copied) says how far the copy had come, and how much of what was read the
/// destination did not take.
///
/// splice and sendfile raise SIGPIPE when the peer is gone, which Rust programs ignore unless told otherwise.
///
/// # Cancellation
/// Dropping the future ends the copy and leaves no descriptor behind. What was taken from the source and not yet given
/// to the destination is lost with it, as the conns are then of little use; a [`Progress`] tells how much the
/// destination has taken.
///
/// While it waits, no other task may wait by `AsyncRead` of the source or `AsyncWrite` of the destination, as between
/// tasks that use these; the conns' own methods may be called.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> landline::Result<()> {
/// use landline::{CopyPath, UnixConn, UnixKind};
///
/// let path = std::env::temp_dir().join(format!("landline-copy-{}", std::process::id()));
/// std::fs::write(&path, "a page").expect("a file");
/// let page = std::fs::File::open(&path).expect("the same");
/// let (ours, theirs) = UnixConn::pair(UnixKind::Stream)?;
///
/// let copied = landline::copy(&page, &ours).await?;
/// assert_eq!((copied.bytes, copied.path), (6, CopyPath::SendFile));
/// # drop(theirs); std::fs::remove_file(path).ok();
/// # Ok(()) }
/// ```
pub async fn copy<S, D>(source: &S, destination: &D) -> Result<Copied>
where
    S: CopySource + ?Sized,
    D: CopySink + ?Sized,
{
    Copier::new().copy(source, destination).await
}

/// Copies in both directions until both have ended, and says what went from `a` to `b`, and what came back. Each
/// direction is a [`copy`](copy()).
///
/// The end of one direction leaves the other going on: a client may end its request and wait for the answer.
///
/// # Errors
/// The first failure. When one side cannot be written to, what it has sent is still read to its end and delivered: a
/// server may have answered before it closed. When one cannot be read from, or a deadline, a context or a close ends
/// the copy, both directions end at once. [`Error::copied`](crate::Error::copied) says how far each had come.
///
/// What breaks is not passed on as an end: after a reset of one side, the other has not been told that it has got all.
/// Dropping it tells so; where a part must not be taken for the whole, [`set_linger`](crate::TcpConn::set_linger) of zero
/// before makes a reset of it.
///
/// # Cancellation
/// As of [`copy`](copy()).
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> landline::Result<()> {
/// # let backend = landline::listen("tcp", "127.0.0.1:0").await?;
/// # let backend = backend.local_addr()?.to_string();
/// let listener = landline::listen("tcp", "127.0.0.1:0").await?;
/// # let client = landline::dial("tcp", &listener.local_addr()?.to_string()).await?;
/// # client.close_write()?;
/// // A forwarder:
/// let client = listener.accept().await?;
/// let server = landline::dial("tcp", &backend).await?;
/// # server.as_tcp().unwrap().close_read()?;
/// let (there, back) = landline::copy_both(&client, &server).await?;
/// println!("{there} there, {back} back");
/// # Ok(()) }
/// ```
pub async fn copy_both<A, B>(a: &A, b: &B) -> Result<(Copied, Copied)>
where
    A: CopySource + CopySink + ?Sized,
    B: CopySource + CopySink + ?Sized,
{
    Copier::new().copy_both(a, b).await
}
