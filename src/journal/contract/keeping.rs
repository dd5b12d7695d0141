//! What is told of large deletions, and what is kept of old ones.
//!
//! Its own file because these tests are about what is there, not about what is sent.

use super::verbs::*;
use super::*;

pub(in crate::journal) async fn shares_tell_who_else_is_in_a_lane(bench: &Bench) {
    let read = || Start::Waits(step("GetVideoInfo", ""));
    let (id, appended) = begun(bench, vec![waiting("v1"), waiting("v2"), item("v3", read())]).await;
    bench.append(vec![waiting("v4")]).await;
    let other = NewDeletion { requested_by: "cms".to_owned(), ..deletion(vec![waiting("v5")]) };
    bench.accept(other).await;
    let (paused, _) = begun(bench, vec![waiting("v6")]).await;
    done(pause(bench, &paused).await);
    let share = |operation, waiting, callers, siblings| LaneShare {
        lane: lane(operation),
        waiting,
        callers,
        siblings,
    };
    let shares = || async { bench.journal.shares(appended.seq).await.unwrap() };
    assert_eq!(shares().await, [share("DeleteVideo", 2, 2, 2), share("GetVideoInfo", 1, 1, 1)]);
    bench.claim("GetVideoInfo", 9).await;
    done(pause(bench, &id).await);
    assert_eq!(shares().await, [share("DeleteVideo", 2, 2, 1)]);
}

pub(in crate::journal) async fn what_is_no_longer_kept_goes_and_nothing_else(bench: &Bench) {
    let mut asked: Vec<_> = (0..300).map(|n| sent(&format!("v{n}"))).collect();
    asked.extend((0..20).map(|n| follows(&format!("v{n}"), n)));
    let once = Once { key: "k1".to_owned(), fingerprint: Digest([1; 32]), keep: DAYS * 2 };
    let old = NewDeletion { once: Some(once), ..deletion(asked) };
    let (old_id, old) = (old.id.clone(), bench.accept(old).await);
    let other = begun(bench, vec![sent("v0"), waiting("w1")]).await;
    bench.again(&old.claimed[..9], &delete(), Duration::ZERO, true).await;
    let again = bench.claim("DeleteVideo", 9).await;
    let rest: Vec<_> = again.iter().filter(|item| item.key.deletion == old.seq).cloned().collect();
    bench.end(&rest, &ending(Outcome::Failed)).await;
    loop {
        let open = bench.claim("DeleteVideo", 99).await;
        if open.is_empty() {
            break;
        }
        bench.end(&open, &ending(Outcome::Failed)).await;
    }
    bench.end(&old.claimed[9..], &Ending::deleted()).await;
    let finished_at = row(bench, &old_id).await.finished_at.unwrap();
    bench.clock.advance(DAYS);
    let (late_id, _) = begun(bench, vec![item("v1", Start::Ended(Ending::absent())), sent("v2")]).await;
    let kept = (
        bench.items(other.1.seq).await,
        bench.journal.item(ItemKey { deletion: other.1.seq, index: 0 }).await,
    );

    // Not yet: it finished at this time, not before.
    while bench.journal.clean(finished_at, 50).await.unwrap() {}
    assert!(bench.journal.deletion(&old_id).await.unwrap().is_some());
    let mut steps = 1;
    while bench.journal.clean(finished_at + SECOND, 50).await.unwrap() {
        steps += 1;
        assert!(steps < 100, "it comes to an end");
    }
    assert!(steps >= 3, "{steps} steps for 320 items in steps of about 50 rows");
    assert_eq!(bench.journal.deletion(&old_id).await, Ok(None));
    assert_eq!(bench.items(old.seq).await, vec![]);
    assert_eq!(bench.journal.item(ItemKey { deletion: old.seq, index: 0 }).await, Ok(None));
    assert_eq!(bench.journal.items_of(&account(), "v7", None, 9).await, Ok(vec![]));
    assert!(bench.journal.deletion(&late_id).await.unwrap().is_some());
    let here = bench.journal.items_of(&account(), "v0", None, 9).await.unwrap();
    assert_eq!(here.iter().map(|item| item.key.deletion).collect::<Vec<_>>(), [other.1.seq]);
    // Who was served by a call of what is gone keeps its outcome and its calls.
    let now = bench.items(other.1.seq).await;
    assert_eq!(now.len(), kept.0.len());
    for (now, was) in now.iter().zip(&kept.0) {
        assert_eq!(
            (&now.ending, now.outcome_seq, now.attempts),
            (&was.ending, was.outcome_seq, was.attempts)
        );
        assert_eq!((&now.last_call, &now.coalesced_with), (&was.last_call, &None));
    }
    let attempts = bench.journal.item(now[0].key).await.unwrap().unwrap().attempts;
    assert_eq!(attempts, kept.1.unwrap().unwrap().attempts);
    // Its key is free again.
    let once = Once { key: "k1".to_owned(), fingerprint: Digest([2; 32]), keep: DAYS };
    bench.accept(NewDeletion { once: Some(once), ..deletion(vec![waiting("v1")]) }).await;
}

pub(in crate::journal) async fn a_removal_goes_on_after_a_restart(bench: &Bench) {
    let asked = (0..400).map(|n| item(&format!("v{n}"), Start::Ended(Ending::absent()))).collect();
    let (id, appended) = begun(bench, asked).await;
    let open = begun(bench, vec![waiting("v1")]).await;
    bench.clock.advance(DAYS);
    assert_eq!(bench.journal.clean(bench.now(), 60).await, Ok(true));
    assert_eq!(bench.journal.deletion(&id).await, Ok(None), "half of it is never shown");
    assert_eq!(bench.items(appended.seq).await, vec![]);
    assert_eq!(bench.journal.deletions(DeletionFilter::default(), 9).await.unwrap().len(), 1);
    bench.journal.close().await;
    let journal = bench.store.open(bench.clock.clone(), Metrics::new()).await;
    while journal.clean(bench.now() - DAYS, 60).await.unwrap() {}
    assert_eq!(journal.clean(bench.now(), 60).await, Ok(false));
    assert_eq!(journal.claim(&lane("DeleteVideo"), 9, LEASE).await.unwrap().items.len(), 1);
    assert!(journal.deletion(&open.0).await.unwrap().is_some());
    journal.close().await;
}

pub(in crate::journal) async fn a_discarded_upload_is_removed(bench: &Bench) {
    let key = Some(("k".to_owned(), DAYS));
    let upload = NewUpload {
        id: DeletionId::new(),
        requested_by: "ops".to_owned(),
        reason: None,
        if_absent: IfAbsent::Ok,
        key,
    };
    let Ok(Begun::Receiving(seq)) = bench.journal.begin(upload.clone()).await else { panic!("not begun") };
    let items = (0..200).map(|n| waiting(&format!("v{n}"))).collect();
    bench.journal.stage(seq, 0, items).await.unwrap();
    // While it is received it is not old, however long that takes.
    bench.clock.advance(SECOND);
    while bench.journal.clean(bench.now() + DAYS, 50).await.unwrap() {}
    assert_eq!(bench.journal.begin(upload.clone()).await, Ok(Begun::KeyBusy));
    bench.journal.discard(seq).await.unwrap();
    let mut steps = 1;
    while bench.journal.clean(bench.now(), 50).await.unwrap() {
        steps += 1;
    }
    assert!((2..50).contains(&steps), "{steps} steps");
    assert_eq!(bench.journal.items_of(&account(), "v7", None, 9).await, Ok(vec![]));
    assert_eq!(bench.journal.open_lanes().await, Ok(vec![]));
    let again = NewUpload { id: DeletionId::new(), ..upload };
    assert!(matches!(bench.journal.begin(again).await, Ok(Begun::Receiving(_))));
}

pub(in crate::journal) async fn old_keys_are_forgotten(bench: &Bench) {
    let asked = |n: u8, keep| {
        let once = Once { key: format!("k{n}"), fingerprint: Digest([n; 32]), keep };
        NewDeletion { once: Some(once), ..deletion(vec![waiting(&format!("v{n}"))]) }
    };
    for n in 0..20 {
        bench.accept(asked(n, SECOND * u32::from(n))).await;
    }
    bench.clock.advance(SECOND * 9);
    while bench.journal.clean(bench.now() - DAYS, 3).await.unwrap() {}
    for n in 0..20 {
        let accepted = bench.journal.append(asked(n, DAYS)).await.unwrap();
        assert_eq!(matches!(accepted, Accepted::New(_)), n <= 9, "key {n}");
    }
}
