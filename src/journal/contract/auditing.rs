//! Promise 15: what is decided, sent and answered is recorded, in a chain.
//!
//! Its own file because these tests look at what was written beside the deletions.
//! How many calls share a record is the store's business: only what records say
//! together is tested here.

use std::collections::BTreeSet;

use super::gates::{ahead, approval, by, delayed, gated, lapse};
use super::verbs::*;
use super::*;
use crate::journal::audit::{Action, AuditFilter, Entry, NOTHING, Ranges, Record, SERVICE, Span};

/// Every record, oldest first; the chain is whole.
async fn all(bench: &Bench) -> Vec<Record> {
    let mut records = bench.journal.audited(AuditFilter::default(), 1_000).await.unwrap();
    records.reverse();
    let mut previous = NOTHING;
    for (seq, record) in (1..).zip(&records) {
        assert_eq!((record.seq, record.previous), (seq, previous));
        assert_eq!(audit::hash(&previous, seq, record.at, &record.entry), record.hash);
        previous = record.hash;
    }
    records
}

/// Who did what, and why, of a deletion.
fn told<'a>(records: &'a [Record], id: &DeletionId) -> Vec<(&'a str, Action, Option<&'a str>)> {
    let of = |record: &&Record| record.entry.deletion.as_ref() == Some(id);
    let one = |record: &'a Record| {
        (record.entry.actor.as_str(), record.entry.action, record.entry.reason.as_deref())
    };
    records.iter().filter(of).map(one).collect()
}

fn only(action: Action) -> AuditFilter {
    AuditFilter { action: Some(action), ..AuditFilter::default() }
}

/// The items that records of this kind cover.
fn covered(records: &[Record], id: &DeletionId, action: Action) -> BTreeSet<u32> {
    let of = |record: &&Record| record.entry.deletion.as_ref() == Some(id) && record.entry.action == action;
    let mut found = BTreeSet::new();
    for record in records.iter().filter(of) {
        let entry = &record.entry;
        let span = entry.items.as_ref().unwrap();
        let ranges = Ranges::parse(&span.ranges).unwrap();
        assert_eq!((ranges.count(), entry.actor.as_str()), (span.count, SERVICE));
        assert_eq!(entry.account, Some(account()));
        found.extend((0..2_000).filter(|index| ranges.contains(*index)));
    }
    found
}

pub(in crate::journal) async fn every_decision_is_recorded_once(bench: &Bench) {
    let new = NewDeletion {
        terms: gated(),
        reason: Some("rights expired".to_owned()),
        ..deletion(vec![waiting("v1"), waiting("v2")])
    };
    let (id, seen) = (new.id.clone(), Some("seen"));
    bench.accept(new.clone()).await;
    for (verb, who) in [(Verb::Start, "deputy"), (Verb::Start, "deputy"), (Verb::Approve, "deputy")] {
        by(bench, &id, verb, who).await;
    }
    by(bench, &id, Verb::Approve, "boss").await;
    done(pause(bench, &id).await);
    by(bench, &id, Verb::Resume, "boss").await;
    lapse(bench, &id).await;
    bench.clock.advance(DAYS);
    lapse(bench, &id).await;
    by(bench, &id, Verb::Cancel, "boss").await;
    by(bench, &id, Verb::Cancel, "boss").await;
    let records = all(bench).await;
    let expected = [
        ("ops", Action::Planned, Some("rights expired")),
        ("deputy", Action::Started, seen),
        ("boss", Action::Approved, seen),
        ("ops", Action::Paused, Some("wait for the audit")),
        ("boss", Action::Resumed, seen),
        (SERVICE, Action::Released, None),
        ("boss", Action::Canceled, seen),
    ];
    assert_eq!(told(&records, &id), expected);
    assert_eq!(records.len(), expected.len(), "what changed nothing is not recorded");
    // What was decided is bound to what was seen.
    let whole = Span { ranges: "0-1".to_owned(), count: 2, digest: new.digest };
    for record in &records {
        let binds = matches!(record.entry.action, Action::Planned | Action::Started | Action::Approved);
        assert_eq!(record.entry.items, binds.then(|| whole.clone()), "{record:?}");
        assert_eq!((&record.entry.account, &record.entry.vendor_request_id), (&Some(account()), &None));
    }
    assert_eq!(records.last().unwrap().at.as_millisecond(), bench.now().as_millisecond());

    let (rejected, _) = ahead(bench, approval(), vec![waiting("v1")]).await;
    by(bench, &rejected, Verb::Reject, "boss").await;
    let (expired, _) = ahead(bench, approval(), vec![waiting("v1")]).await;
    bench.clock.advance(DAYS);
    by(bench, &expired, Verb::Approve, "boss").await;
    let records = all(bench).await;
    assert_eq!(told(&records, &rejected)[1..], [("boss", Action::Rejected, seen)]);
    assert_eq!(told(&records, &expired)[1..], [(SERVICE, Action::Expired, None)]);
}

pub(in crate::journal) async fn every_call_is_recorded_with_its_items(bench: &Bench) {
    let items = (0..300).map(|n| waiting(&format!("v{n}"))).chain([follows("v0", 0)]).collect();
    let (id, appended) = begun(bench, items).await;
    let first = bench.claim("DeleteVideo", 20).await;
    // It waits for the call of the first.
    let (other, twin) = begun(bench, vec![sent("v7"), waiting("w1")]).await;
    bench.end(&first, &Ending::deleted()).await;
    loop {
        let some = bench.claim("DeleteVideo", 20).await;
        if some.is_empty() {
            break;
        }
        bench.end(&some, &Ending::deleted()).await;
    }
    let records = all(bench).await;
    for action in [Action::Sent, Action::Answered] {
        assert_eq!(covered(&records, &id, action), (0..300).collect());
        assert!(covered(&records, &other, action).contains(&1));
    }
    assert_eq!(told(&records, &id)[0], ("ops", Action::Requested, None));
    assert_eq!(records[0].entry.items.as_ref().unwrap().ranges, "0-300");
    let sent = records.iter().find(|record| record.entry.action == Action::Sent).unwrap();
    assert_eq!(sent.at.as_millisecond(), bench.now().as_millisecond(), "as the call says");
    assert!(sent.entry.reason.as_ref().unwrap().starts_with("DeleteVideo"), "{sent:?}");
    let answered = records.iter().find(|record| record.entry.action == Action::Answered).unwrap();
    assert!(answered.entry.reason.as_ref().unwrap().contains("200"), "{answered:?}");
    // The receipts name them, those of duplicates and of items that shared a call too.
    for (seq, index) in [(appended.seq, 150), (appended.seq, 300), (twin.seq, 0), (twin.seq, 1)] {
        let receipt = bench.journal.item(ItemKey { deletion: seq, index }).await.unwrap().unwrap();
        let named: Vec<_> = records.iter().filter(|record| receipt.audit.contains(&record.seq)).collect();
        assert_eq!(named.len(), receipt.audit.len());
        let has = |action| named.iter().any(|record| record.entry.action == action);
        assert!(has(Action::Requested) && has(Action::Sent) && has(Action::Answered), "{index}: {named:?}");
        assert!(receipt.audit.is_sorted());
        let own = named.iter().filter(|record| record.entry.action == Action::Requested);
        let of = if seq == appended.seq { &id } else { &other };
        assert!(own.clone().count() == 1 && own.clone().all(|r| r.entry.deletion.as_ref() == Some(of)));
    }
}

pub(in crate::journal) async fn a_call_is_recorded_as_it_went(bench: &Bench) {
    let (id, appended) = begun(bench, vec![sent("v1"), sent("v2"), sent("v3")]).await;
    let claimed = &appended.claimed;
    let mut call = bench.call(AttemptClass::NotSent);
    let again = Next::Again { step: delete(), due_at: bench.now(), counts: false };
    bench.journal.record(call.clone(), vec![change(&claimed[0], again.clone())]).await.unwrap();
    call.class = AttemptClass::Ambiguous;
    bench.journal.record(call.clone(), vec![change(&claimed[1], again)]).await.unwrap();
    call.class = AttemptClass::Refused;
    call.status = Some(403);
    call.vendor_code = Some("Forbidden.RAM".to_owned());
    let refused = Next::Ended(ending(Outcome::Refused));
    bench.journal.record(call, vec![change(&claimed[2], refused)]).await.unwrap();
    done(cancel(bench, &id).await);
    let records = all(bench).await;
    assert_eq!(covered(&records, &id, Action::Sent), BTreeSet::from([1, 2]), "one never left");
    assert_eq!(covered(&records, &id, Action::Answered), BTreeSet::from([2]), "one was not answered");
    let answered = records.iter().find(|record| record.entry.action == Action::Answered).unwrap();
    assert_eq!(answered.entry.reason.as_deref(), Some("DeleteVideo: 403 Forbidden.RAM"));
    assert_eq!(answered.entry.vendor_request_id, bench.call(AttemptClass::Answered).request_id);
    assert_eq!(records.last().unwrap().entry.action, Action::Canceled);
}

pub(in crate::journal) async fn what_is_given_up_or_decided_is_recorded(bench: &Bench) {
    let (id, appended) = begun(bench, vec![sent("v0"), sent("v1"), follows("v1", 1)]).await;
    bench.end(&appended.claimed[..1], &ending(Outcome::Failed)).await;
    bench.end(&appended.claimed[1..], &ending(Outcome::Unknown)).await;
    let item = bench.item(appended.seq, 0).await;
    done(retry(bench, &id, vec![reopen(bench, &item)], Some(1)).await);
    done(retry(bench, &id, vec![], None).await);
    let key = ItemKey { deletion: appended.seq, index: 1 };
    for _ in 0..2 {
        bench.journal.settle(key, settlement(Ending::deleted())).await.unwrap();
    }
    let records = all(bench).await;
    let decided: Vec<_> =
        told(&records, &id).into_iter().filter(|(who, ..)| *who != SERVICE).skip(1).collect();
    assert_eq!(
        decided,
        [
            ("night-job", Action::Retried, Some("vendor was down")),
            ("ops", Action::Settled, Some("deleted: seen in the console")),
        ]
    );
    let settled = &records.last().unwrap().entry;
    let span = settled.items.as_ref().unwrap();
    assert_eq!((span.ranges.as_str(), span.count, &settled.account), ("1-2", 2, &Some(account())));
}

pub(in crate::journal) async fn holds_stops_and_what_was_refused_are_recorded(bench: &Bench) {
    let hold = Hold {
        account: account(),
        id: HoldId::parse("promo-*").unwrap(),
        asset: None,
        reason: "a lawsuit".to_owned(),
        held_by: "legal".to_owned(),
        held_at: bench.now(),
    };
    bench.journal.hold(hold.clone()).await.unwrap();
    for _ in 0..2 {
        bench.journal.lift(&hold.account, &hold.id, "boss").await.unwrap();
    }
    for account in [None, Some(account())] {
        let stop = Stop { account, reason: Some("odd".to_owned()), by: "ops".to_owned(), at: bench.now() };
        for _ in 0..2 {
            bench.journal.stop(stop.clone()).await.unwrap();
        }
        for _ in 0..2 {
            bench.journal.restart(stop.account.as_ref(), "boss", Some("mended")).await.unwrap();
        }
    }
    let refused = |deletion| Entry {
        actor: "cms".to_owned(),
        action: Action::Refused,
        account: None,
        deletion,
        items: None,
        reason: Some("no right to delete".to_owned()),
        vendor_request_id: None,
    };
    // Also of what is not in the journal.
    let both = vec![refused(None), refused(Some(DeletionId::new()))];
    bench.journal.audit(both.clone()).await.unwrap();
    let records = all(bench).await;
    let is = |record: &Record| {
        let entry = &record.entry;
        (entry.actor.clone(), entry.action, entry.account.is_some(), entry.reason.clone().unwrap())
    };
    let expected = [
        ("legal", Action::Held, true, "promo-*: a lawsuit"),
        ("boss", Action::Lifted, true, "promo-*"),
        ("ops", Action::Stopped, false, "odd"),
        ("boss", Action::Restarted, false, "mended"),
        ("ops", Action::Stopped, true, "odd"),
        ("boss", Action::Restarted, true, "mended"),
    ];
    let expected = expected.map(|(who, what, of, why)| (who.to_owned(), what, of, why.to_owned()));
    assert_eq!(records[..6].iter().map(is).collect::<Vec<_>>(), expected);
    assert_eq!(records[6..].iter().map(|record| record.entry.clone()).collect::<Vec<_>>(), both);
}

pub(in crate::journal) async fn records_are_filtered_and_paged(bench: &Bench) {
    let of = |name: &str| {
        let target = Target { account: AccountId::parse(name).unwrap(), ..wanted("v1").target };
        NewItem { wanted: Some(Wanted { target, label: None }), start: Start::Waits(delete()) }
    };
    let (here, _) = begun(bench, vec![of("media-cn")]).await;
    bench.clock.advance(SECOND);
    let since = bench.now();
    let (there, _) = begun(bench, vec![of("other")]).await;
    bench.clock.advance(SECOND);
    let (both, _) = begun(bench, vec![of("media-cn"), of("other")]).await;
    by(bench, &there, Verb::Cancel, "boss").await;
    let seqs = |filter: AuditFilter, limit| async move {
        let found = bench.journal.audited(filter, limit).await.unwrap();
        found.into_iter().map(|record| record.seq).collect::<Vec<_>>()
    };
    let any = AuditFilter::default;
    assert_eq!(seqs(any(), 9).await, [4, 3, 2, 1]);
    assert_eq!(seqs(any(), 2).await, [4, 3]);
    assert_eq!(seqs(AuditFilter { before: Some(3), ..any() }, 9).await, [2, 1]);
    assert_eq!(seqs(only(Action::Requested), 9).await, [3, 2, 1]);
    assert_eq!(seqs(AuditFilter { before: Some(3), ..only(Action::Requested) }, 1).await, [2]);
    assert_eq!(seqs(AuditFilter { actor: Some("boss".to_owned()), ..any() }, 9).await, [4]);
    assert_eq!(seqs(AuditFilter { actor: Some("nobody".to_owned()), ..any() }, 9).await, Vec::<i64>::new());
    assert_eq!(seqs(AuditFilter { deletion: Some(here.clone()), ..any() }, 9).await, [1]);
    assert_eq!(seqs(AuditFilter { deletion: Some(both), ..any() }, 9).await, [3]);
    assert_eq!(seqs(AuditFilter { deletion: Some(DeletionId::new()), ..any() }, 9).await, Vec::<i64>::new());
    let other = AccountId::parse("other").unwrap();
    assert_eq!(seqs(AuditFilter { account: Some(other.clone()), ..any() }, 9).await, [4, 2]);
    let of_boss = AuditFilter { actor: Some("boss".to_owned()), account: Some(other.clone()), ..any() };
    assert_eq!(seqs(of_boss, 9).await, [4]);
    assert_eq!(seqs(AuditFilter { since: Some(since), ..any() }, 9).await, [4, 3, 2]);
    assert_eq!(seqs(AuditFilter { until: Some(since), ..any() }, 9).await, [1]);
    // What is about several accounts, or about none, is not for who may see one.
    assert_eq!(seqs(AuditFilter { visible: Some(vec![other]), ..any() }, 9).await, [4, 2]);
    assert_eq!(seqs(AuditFilter { visible: Some(vec![account()]), ..any() }, 9).await, [1]);
    assert_eq!(seqs(AuditFilter { visible: Some(vec![]), ..any() }, 9).await, Vec::<i64>::new());
}

pub(in crate::journal) async fn a_time_is_found_in_a_long_chain(bench: &Bench) {
    for n in 0..12 {
        bench.clock.advance(if n % 3 == 0 { DAYS } else { SECOND });
        let (id, appended) = begun(bench, vec![sent("v1")]).await;
        // Recorded late: what it says is older than what stands before it.
        let call = bench.call(AttemptClass::Ambiguous);
        bench.clock.advance(SECOND * 5);
        by(bench, &id, Verb::Cancel, "boss").await;
        let again = Next::Again { step: delete(), due_at: bench.now(), counts: false };
        bench.journal.record(call, vec![change(&appended.claimed[0], again)]).await.unwrap();
        cancel_steps(bench, appended.seq, 9).await;
    }
    let records = bench.journal.audited(AuditFilter::default(), 999).await.unwrap();
    assert_eq!(records.len(), 36);
    for one in &records {
        for (since, until) in
            [(Some(one.at), None), (None, Some(one.at)), (Some(one.at), Some(one.at + SECOND * 9))]
        {
            let is = |record: &&Record| {
                since.is_none_or(|at| record.at >= at) && until.is_none_or(|at| record.at < at)
            };
            let expected: Vec<_> = records.iter().filter(is).map(|record| record.seq).collect();
            let filter = AuditFilter { since, until, ..AuditFilter::default() };
            let found = bench.journal.audited(filter, 999).await.unwrap();
            assert_eq!(found.iter().map(|record| record.seq).collect::<Vec<_>>(), expected);
        }
    }
}

pub(in crate::journal) async fn records_outlive_their_deletion_and_a_restart(bench: &Bench) {
    let (id, appended) = begun(bench, vec![sent("v1")]).await;
    bench.end(&appended.claimed, &Ending::deleted()).await;
    let (open, waits) = ahead(bench, delayed(), vec![waiting("v2")]).await;
    let before = all(bench).await;
    assert_eq!(before.len(), 4);
    bench.clock.advance(DAYS);
    while bench.journal.clean(bench.now(), 50).await.unwrap() {}
    assert_eq!(bench.journal.deletion(&id).await, Ok(None));
    assert_eq!(all(bench).await, before);
    bench.journal.close().await;
    let journal = bench.store.open(bench.clock.clone(), Metrics::new()).await;
    lapse_on(&*journal, &open).await;
    let after = journal.audited(AuditFilter::default(), 9).await.unwrap();
    assert_eq!(after.len(), 5);
    assert_eq!((after[0].previous, &after[1]), (before[3].hash, &before[3]), "the chain goes on");
    let of_it =
        journal.audited(AuditFilter { deletion: Some(id), ..AuditFilter::default() }, 9).await.unwrap();
    assert_eq!(of_it.len(), 3);
    let receipt = journal.item(ItemKey { deletion: waits.seq, index: 0 }).await.unwrap().unwrap();
    assert_eq!(receipt.audit, [4, 5]);
    journal.close().await;
}

async fn lapse_on(journal: &dyn Journal, id: &DeletionId) {
    done(journal.turn(id, Asked::of(Verb::Lapse, SERVICE)).await.unwrap().unwrap());
}

pub(in crate::journal) async fn a_refused_write_leaves_no_record(bench: &Bench) {
    let bad = deletion(vec![waiting("v1"), item("v1", Start::Follows { leader: 3 })]);
    assert!(matches!(bench.journal.append(bad).await, Err(Error::Invalid(_))));
    let capped = NewDeletion { daily_cap: Some(1), ..deletion(vec![waiting("v1"), waiting("v2")]) };
    assert!(matches!(bench.journal.append(capped).await, Ok(Accepted::CapReached(_))));
    let (id, _) = ahead(bench, approval(), vec![waiting("v1")]).await;
    by(bench, &id, Verb::Approve, "ops").await;
    by(bench, &id, Verb::Start, "ops").await;
    assert_eq!(all(bench).await.len(), 1);
}
