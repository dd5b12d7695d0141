//! Promise 9: a request with a key is done at most once.
//!
//! Its own file because these tests are about requests, not items.

use futures_util::future::join_all;

use super::*;

const KEEP: Duration = Duration::from_hours(24);

fn keyed(caller: &str, key: &str, fingerprint: u8) -> NewDeletion {
    let once = Once { key: key.to_owned(), fingerprint: Digest([fingerprint; 32]), keep: KEEP };
    NewDeletion { requested_by: caller.to_owned(), once: Some(once), ..deletion(vec![waiting("v1")]) }
}

fn upload(caller: &str, key: &str) -> NewUpload {
    NewUpload {
        id: DeletionId::new(),
        requested_by: caller.to_owned(),
        reason: None,
        if_absent: IfAbsent::Ok,
        key: Some((key.to_owned(), KEEP)),
    }
}

pub(in crate::journal) async fn of_many_twins_one_makes_a_deletion(bench: &Bench) {
    let asked: Vec<_> = (0..1_000).map(|_| keyed("ops", "k", 1)).collect();
    let told = join_all(asked.iter().map(|new| bench.journal.append(new.clone()))).await;
    let rows = bench.journal.deletions(DeletionFilter::default(), 10).await.unwrap();
    assert_eq!(rows.len(), 1);
    let mut made = 0;
    for told in told {
        match told.unwrap() {
            Accepted::New(new) => {
                made += 1;
                assert_eq!(new.seq, rows[0].seq);
            }
            Accepted::Known(id) => assert_eq!(id, rows[0].id),
            other @ (Accepted::KeyReused | Accepted::KeyBusy | Accepted::CapReached(_)) => {
                panic!("{other:?}")
            }
        }
    }
    assert_eq!((made, bench.items(rows[0].seq).await.len()), (1, 1));
}

pub(in crate::journal) async fn a_key_is_its_callers_and_of_one_request(bench: &Bench) {
    let first = keyed("ops", "k", 1);
    bench.accept(first.clone()).await;
    assert_eq!(bench.journal.append(keyed("ops", "k", 2)).await, Ok(Accepted::KeyReused));
    bench.accept(keyed("ops", "other", 2)).await;
    bench.accept(keyed("night-job", "k", 2)).await;
    // Also by the way of uploads.
    let known = Begun::Known { id: first.id.clone(), fingerprint: Digest([1; 32]) };
    assert_eq!(bench.journal.begin(upload("ops", "k")).await, Ok(known));
    assert_eq!(bench.journal.append(keyed("ops", "k", 1)).await, Ok(Accepted::Known(first.id)));
    assert_eq!(bench.journal.deletions(DeletionFilter::default(), 10).await.unwrap().len(), 3);
}

pub(in crate::journal) async fn an_old_key_is_free_again(bench: &Bench) {
    let first = keyed("ops", "k", 1);
    bench.accept(first.clone()).await;
    bench.clock.advance(KEEP.saturating_sub(Duration::from_millis(1)));
    assert_eq!(bench.journal.append(keyed("ops", "k", 1)).await, Ok(Accepted::Known(first.id)));
    bench.clock.advance(Duration::from_millis(1));
    let second = keyed("ops", "k", 2);
    bench.accept(second.clone()).await;
    assert_eq!(bench.journal.append(keyed("ops", "k", 2)).await, Ok(Accepted::Known(second.id)));
}

pub(in crate::journal) async fn a_key_is_busy_while_its_upload_is_received(bench: &Bench) {
    let asked = upload("ops", "k");
    let Begun::Receiving(seq) = bench.journal.begin(asked.clone()).await.unwrap() else { panic!() };
    assert_eq!(bench.journal.append(keyed("ops", "k", 1)).await, Ok(Accepted::KeyBusy));
    assert_eq!(bench.journal.begin(upload("ops", "k")).await, Ok(Begun::KeyBusy));
    bench.journal.discard(seq).await.unwrap();

    let asked = upload("ops", "k");
    let Begun::Receiving(seq) = bench.journal.begin(asked.clone()).await.unwrap() else { panic!() };
    bench.journal.stage(seq, 0, vec![waiting("v1")]).await.unwrap();
    let seal = Seal { fingerprint: Some(Digest([1; 32])), ..Seal::of(1, Digest([9; 32])) };
    bench.journal.seal(seq, seal).await.unwrap();
    assert_eq!(bench.journal.append(keyed("ops", "k", 1)).await, Ok(Accepted::Known(asked.id.clone())));
    assert_eq!(bench.journal.append(keyed("ops", "k", 2)).await, Ok(Accepted::KeyReused));
    let known = Begun::Known { id: asked.id, fingerprint: Digest([1; 32]) };
    assert_eq!(bench.journal.begin(upload("ops", "k")).await, Ok(known));
}

pub(in crate::journal) async fn a_key_is_kept_over_a_restart(bench: &Bench) {
    let first = keyed("ops", "k", 1);
    bench.accept(first.clone()).await;
    let Begun::Receiving(_) = bench.journal.begin(upload("ops", "u")).await.unwrap() else { panic!() };
    bench.journal.close().await;
    let again = bench.store.open(bench.clock.clone(), Metrics::new()).await;
    assert_eq!(again.append(keyed("ops", "k", 1)).await, Ok(Accepted::Known(first.id)));
    assert_eq!(again.append(keyed("ops", "u", 1)).await, Ok(Accepted::KeyBusy));
    bench.clock.advance(Duration::from_secs(1));
    assert_eq!(again.discard_unsealed(bench.now()).await, Ok(1));
    assert!(matches!(again.append(keyed("ops", "u", 1)).await, Ok(Accepted::New(_))));
    again.close().await;
}

pub(in crate::journal) async fn a_refused_append_keeps_no_key(bench: &Bench) {
    let bad = NewDeletion { items: vec![item("v1", Start::Follows { leader: 3 })], ..keyed("ops", "k", 1) };
    assert!(matches!(bench.journal.append(bad).await, Err(Error::Invalid(_))));
    bench.accept(keyed("ops", "k", 2)).await;
}
