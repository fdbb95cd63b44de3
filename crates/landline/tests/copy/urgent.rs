//! Urgent data, which splice does not get past (tcp(7)).

use landline::{CopyPath, Detour, copy};
use rustix::net::{SendFlags, send};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{assert_same, pattern, soon, tcp, unix};

#[tokio::test]
async fn what_follows_urgent_data_is_copied_after_a_splice_too() {
    let ((source, mut from_far), (destination, mut to_far)) = (tcp().await, unix());
    let said = pattern(4 << 20);
    let conversation = async {
        // Large pieces first, so that it splices when the urgent byte comes.
        let mut heard = vec![0; said.len()];
        let (written, read) = tokio::join!(from_far.write_all(&said), to_far.read_exact(&mut heard));
        written.unwrap();
        read.unwrap();
        assert_same(&heard, &said);
        for _ in 0..3 {
            from_far.write_all(b"before").await.unwrap();
            send(&from_far, b"!", SendFlags::OOB).unwrap();
            from_far.write_all(b"behind").await.unwrap();
            let mut heard = [0; 12];
            to_far.read_exact(&mut heard).await.unwrap();
            assert_eq!(&heard, b"beforebehind");
        }
        // From then on all by the buffer.
        let mut heard = vec![0; said.len()];
        let (written, read) = tokio::join!(from_far.write_all(&said), to_far.read_exact(&mut heard));
        written.unwrap();
        read.unwrap();
        assert_same(&heard, &said);
        from_far.shutdown().await.unwrap();
    };
    let (copied, ()) = soon(async { tokio::join!(copy(&source, &destination), conversation) }).await;
    let copied = copied.unwrap();
    assert_eq!((copied.path, copied.bytes), (CopyPath::Splice, 2 * (4 << 20) + 36));
    assert_eq!(copied.detour, Some(Detour::Urgent), "{copied}");
}
