//! Accepting while the process has no descriptors left. One test, and a process of its own, because the limit is the
//! whole process's.

mod descriptors;

use std::io::Read;
use std::time::Duration;

use landline::ListenConfig;
use tokio::time::{Instant, sleep, timeout};

use descriptors::take_all_descriptors;

#[tokio::test]
async fn accept_pauses_then_sheds_then_goes_on() {
    let listener = ListenConfig::new().listen_tcp("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let connect = || async {
        let stream = tokio::net::TcpStream::connect(addr).await.unwrap().into_std().unwrap();
        stream.set_nonblocking(false).unwrap();
        stream
    };
    let mut oldest = connect().await;
    let _second = connect().await;

    let hoard = take_all_descriptors();
    let before = processor_time();
    let began = Instant::now();

    // More than a second passes before the oldest conn is shed, and nothing is accepted meanwhile.
    let shed = tokio::task::spawn_blocking(move || {
        oldest.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let ended = oldest.read(&mut [0]);
        // A close with nothing unread is an orderly end.
        assert!(matches!(ended, Ok(0)), "{ended:?}");
    });
    tokio::select! {
        accepted = listener.accept() => panic!("accepted {accepted:?} without descriptors"),
        shed = shed => shed.unwrap(),
    }
    assert!(began.elapsed() > Duration::from_secs(1), "{:?}", began.elapsed());
    let spent = processor_time() - before;
    assert!(spent < Duration::from_millis(500), "spun for {spent:?}");

    // With descriptors again, the conn that stayed queued is accepted.
    drop(hoard);
    timeout(Duration::from_secs(10), listener.accept()).await.expect("accept goes on").unwrap();

    // Without descriptors again, a close and a deadline still end the wait.
    let _third = connect().await;
    let hoard = take_all_descriptors();
    listener.set_deadline(Instant::now() + Duration::from_millis(50));
    let error =
        timeout(Duration::from_secs(5), listener.accept()).await.expect("the deadline ends it").unwrap_err();
    assert!(error.is_timeout(), "{error}");
    listener.set_deadline(None);
    let waiting = async { listener.accept().await.unwrap_err() };
    let closing = async {
        sleep(Duration::from_millis(50)).await;
        listener.close().unwrap();
    };
    let (error, ()) =
        timeout(Duration::from_secs(5), async { tokio::join!(waiting, closing) }).await.unwrap();
    assert!(error.is_closed(), "{error}");
    drop(hoard);
}

fn processor_time() -> Duration {
    let spent = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(spent.tv_sec as u64, spent.tv_nsec as u32)
}
