//! Copies that say what they did.

use std::sync::{Arc, Mutex};

use landline::explain::{Event, Fate, Outcome, Step, What};
use landline::{Copier, CopyPath, Detour, Operation};
use tokio::io::AsyncWriteExt;

use crate::support::{BULK, hear, pattern, pipe, say, soon, tcp, unix};

#[tokio::test]
async fn a_report_says_which_paths_and_why() {
    let ((a, client), (b, mut server)) = (tcp().await, unix());
    let (said, copier) = (pattern(BULK), Copier::new());
    let (from, to) = (a.peer_addr().unwrap(), "unix");
    let ((copied, report), (), _) =
        soon(async { tokio::join!(copier.explain(&a, &b), say(client, &said, 1 << 20), hear(&mut server)) })
            .await;
    let copied = copied.unwrap();
    assert_eq!(report.operation(), Operation::Copy);
    assert_eq!((report.network(), report.address()), (&*format!("tcp {from}"), to));
    assert!(matches!(report.outcome(), Outcome::Copied(all) if all[..] == [copied]), "{report}");
    let paths: Vec<(CopyPath, Option<Detour>)> = report
        .spans()
        .iter()
        .filter_map(|span| match span.step {
            Step::Path { path, detour, .. } => Some((path, detour)),
            _ => None,
        })
        .collect();
    assert_eq!(paths, [(CopyPath::Buffer, Some(Detour::Small)), (CopyPath::Splice, None)]);
    let text = report.to_string();
    assert!(text.contains(&format!("copy tcp {from} to unix: {BULK} bytes in ")), "{text}");
    assert!(text.contains("bytes by splice ("), "{text}");
}

#[tokio::test]
async fn a_report_of_both_says_which_direction_failed() {
    let ((a, mut client), (b, server)) = (tcp().await, tcp().await);
    client.write_all(b"x").await.unwrap();
    let reset = async {
        let mut server = server;
        tokio::io::AsyncReadExt::read_exact(&mut server, &mut [0]).await.unwrap();
        server.set_zero_linger().unwrap();
    };
    let copier = Copier::new();
    let ((ended, report), ()) = soon(async { tokio::join!(copier.explain_both(&a, &b), reset) }).await;
    let error = ended.unwrap_err();
    assert_eq!(report.error().map(ToString::to_string), Some(error.to_string()));
    let fates: Vec<&Fate> = report
        .spans()
        .iter()
        .filter(|span| matches!(span.step, Step::Copy { .. }))
        .map(|span| &span.fate)
        .collect();
    assert!(matches!(fates[..], [Fate::Failed(_), Fate::Failed(_)]), "{fates:?}");
}

#[tokio::test]
async fn a_sink_hears_each_path_once() {
    let events = Arc::new(Mutex::new(Vec::new()));
    let heard = events.clone();
    let copier = Copier::new().sink(move |event: &Event| {
        heard.lock().unwrap().push(match &event.what {
            What::CopyStarted { copy, from, to } => format!("{copy} from {from} to {to}"),
            What::CopyPath { copy, path, .. } => format!("{copy} {path}"),
            What::CopyDone { copy, copied } => format!("{copy} done {}", copied.bytes),
            other => format!("{other:?}"),
        });
    });
    let ((a, client), (b, server)) = (pipe(), pipe());
    for _ in 0..3 {
        client.write_all(b"several").await.unwrap();
    }
    client.close_write().unwrap();
    server.close_write().unwrap();
    copier.copy_both(&a, &b).await.unwrap();
    assert_eq!(
        *events.lock().unwrap(),
        ["1 from pipe to pipe", "2 from pipe to pipe", "1 buffer", "1 done 21", "2 done 0"]
    );
}
