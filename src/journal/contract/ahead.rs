//! What is done for a deletion before it runs: looked up, blocked, and lifted again.
//!
//! Its own file because these steps leave notes on items and send no delete.

use super::gates::{ahead, approval, by, delayed, lapse};
use super::verbs::*;
use super::*;

const HOUR: Duration = Duration::from_hours(1);

fn checked() -> Terms {
    Terms { plan: Some(HOUR), check: true, ..Terms::default() }
}

fn blocks(terms: &Terms) -> Terms {
    Terms { quarantine: true, ..terms.clone() }
}

fn items() -> Vec<NewItem> {
    vec![waiting("v0"), waiting("v1"), follows("v1", 1)]
}

fn found(found: Found) -> Note {
    Note { found: Some(found), quarantine: None }
}

fn playback(quarantine: Quarantine) -> Note {
    Note { found: None, quarantine: Some(quarantine) }
}

async fn note(
    bench: &Bench,
    seq: DeletionSeq,
    chore: ChoreWord,
    notes: Vec<(u32, Note)>,
    next: Option<u32>,
) -> bool {
    bench.journal.note(seq, Noted { chore, notes, next }).await.unwrap()
}

async fn chores(bench: &Bench) -> Vec<ChoreKind> {
    bench.journal.chores().await.unwrap().into_iter().map(|chore| chore.kind).collect()
}

async fn notes(bench: &Bench, seq: DeletionSeq) -> Vec<Option<Note>> {
    bench.items(seq).await.into_iter().map(|item| item.note).collect()
}

pub(in crate::journal) async fn a_plan_is_looked_up_before_it_can_start(bench: &Bench) {
    let (id, appended) = ahead(bench, checked(), items()).await;
    let seq = appended.seq;
    assert_eq!(chores(bench).await, [ChoreKind::Check { from: 0 }]);
    assert_eq!(row(bench, &id).await.chore, Some(ChoreWord::Check));
    assert!(matches!(by(bench, &id, Verb::Start, "ops").await, Turned::Wrong(_)));
    assert!(!note(bench, seq, ChoreWord::Quarantine, vec![(0, playback(Quarantine::Blocked))], None).await);
    assert!(note(bench, seq, ChoreWord::Check, vec![(0, found(Found::Missing))], Some(1)).await);
    assert_eq!(chores(bench).await, [ChoreKind::Check { from: 1 }]);
    let outside = Noted { chore: ChoreWord::Check, notes: vec![(3, found(Found::Missing))], next: None };
    assert!(matches!(bench.journal.note(seq, outside).await, Err(Error::Invalid(_))));
    let untold = || Found::Untold("the vendor is down".to_owned());
    assert!(note(bench, seq, ChoreWord::Check, vec![(1, found(untold()))], None).await);
    assert_eq!(chores(bench).await, []);
    assert!(!note(bench, seq, ChoreWord::Check, vec![(0, found(untold()))], None).await, "it is over");
    // A duplicate shows what was found of its leader.
    let expected = [found(Found::Missing), found(untold()), found(untold())].map(Some);
    assert_eq!(notes(bench, seq).await, expected);
    assert_eq!(bench.item(seq, 1).await.note, expected[1]);
    let (started, _) = done(by(bench, &id, Verb::Start, "ops").await);
    assert_eq!((started.state, started.chore), (DeletionState::Running, None));
    assert_eq!(bench.claim("DeleteVideo", 9).await.len(), 2);
    assert_eq!(notes(bench, seq).await, expected);
}

pub(in crate::journal) async fn playback_is_blocked_while_it_waits_and_lifted_if_it_dies(bench: &Bench) {
    for is_paused in [false, true] {
        let (id, appended) = ahead(bench, blocks(&delayed()), items()).await;
        let seq = appended.seq;
        assert_eq!(chores(bench).await, [ChoreKind::Quarantine { from: 0 }]);
        let both = vec![(0, playback(Quarantine::Blocked)), (1, playback(Quarantine::BlockedBefore))];
        assert!(note(bench, seq, ChoreWord::Quarantine, both, Some(2)).await);
        if is_paused {
            done(pause(bench, &id).await);
        }
        done(by(bench, &id, Verb::Cancel, "boss").await);
        assert!(!note(bench, seq, ChoreWord::Quarantine, vec![], Some(3)).await, "a cancel takes its place");
        let steps = cancel_steps(bench, seq, 9).await;
        assert_eq!(finished(&steps), Vec::<DeletionSeq>::new(), "not while a block stands");
        assert_eq!(outcomes(bench, seq).await, [Some(Outcome::Canceled); 3]);
        assert_eq!(chores(bench).await, [ChoreKind::Lift { from: 0 }]);
        assert_eq!(row(bench, &id).await.finished_at, None);
        bench.clock.advance(SECOND);
        assert!(note(bench, seq, ChoreWord::Lift, vec![(0, playback(Quarantine::Lifted))], None).await);
        let last = row(bench, &id).await;
        assert!(last.state.is_dead());
        assert_eq!((last.chore, last.finished_at), (None, Some(bench.now())));
        let before = Some(playback(Quarantine::BlockedBefore));
        assert_eq!(notes(bench, seq).await, [Some(playback(Quarantine::Lifted)), before.clone(), before]);
    }
    // Before it is approved not even playback is touched.
    let (unseen, _) = ahead(bench, blocks(&approval()), items()).await;
    assert_eq!(chores(bench).await, []);
    done(by(bench, &unseen, Verb::Reject, "boss").await);
    cancel_steps(bench, row(bench, &unseen).await.seq, 9).await;
    assert_eq!(chores(bench).await, []);
    // Nothing is lifted where nothing of ours stands.
    let (id, appended) = ahead(bench, blocks(&delayed()), items()).await;
    assert!(
        note(bench, appended.seq, ChoreWord::Quarantine, vec![(0, playback(Quarantine::NotBlocked))], None)
            .await
    );
    done(cancel(bench, &id).await);
    assert_eq!(finished(&cancel_steps(bench, appended.seq, 9).await), [appended.seq]);
    assert_eq!(chores(bench).await, []);
}

pub(in crate::journal) async fn playback_is_blocked_once_on_the_way(bench: &Bench) {
    let all = Terms { plan: Some(HOUR), approval: Some(HOUR), ..blocks(&delayed()) };
    let (id, appended) = ahead(bench, all, items()).await;
    assert_eq!(chores(bench).await, [], "a plan blocks nothing");
    done(by(bench, &id, Verb::Start, "ops").await);
    assert_eq!(chores(bench).await, [], "nor does what nobody has approved");
    done(by(bench, &id, Verb::Approve, "boss").await);
    assert_eq!(chores(bench).await, [ChoreKind::Quarantine { from: 0 }]);
    assert!(
        note(bench, appended.seq, ChoreWord::Quarantine, vec![(0, playback(Quarantine::Blocked))], Some(1))
            .await
    );
    done(pause(bench, &id).await);
    assert_eq!(chores(bench).await, [ChoreKind::Quarantine { from: 1 }]);
    done(resume(bench, &id).await);
    bench.clock.advance(HOUR);
    let (running, _) = done(lapse(bench, &id).await);
    assert_eq!(
        (running.state, running.chore),
        (DeletionState::Running, None),
        "what is deleted now needs no block"
    );
    assert_eq!(chores(bench).await, []);
    let open = bench.claim("DeleteVideo", 1).await;
    // What was not sent when it is canceled is played again.
    done(cancel(bench, &id).await);
    cancel_steps(bench, appended.seq, 9).await;
    assert_eq!(chores(bench).await, [ChoreKind::Lift { from: 0 }]);
    bench.end(&open, &Ending::deleted()).await;
    assert_eq!(row(bench, &id).await.finished_at, None);
    assert!(note(bench, appended.seq, ChoreWord::Lift, vec![], None).await);
    assert_eq!(row(bench, &id).await.finished_at, Some(bench.now()));
}

pub(in crate::journal) async fn work_ahead_goes_on_after_a_restart(bench: &Bench) {
    let (_, plan) = ahead(bench, checked(), items()).await;
    let (_, waits) = ahead(bench, blocks(&delayed()), items()).await;
    note(bench, plan.seq, ChoreWord::Check, vec![(0, found(Found::Missing))], Some(1)).await;
    note(bench, waits.seq, ChoreWord::Quarantine, vec![(0, playback(Quarantine::Blocked))], Some(2)).await;
    bench.journal.close().await;
    let journal = bench.store.open(bench.clock.clone(), Metrics::new()).await;
    let kinds: Vec<_> = journal.chores().await.unwrap().into_iter().map(|chore| chore.kind).collect();
    assert_eq!(kinds, [ChoreKind::Check { from: 1 }, ChoreKind::Quarantine { from: 2 }]);
    let item = journal.item(ItemKey { deletion: waits.seq, index: 0 }).await.unwrap().unwrap().item;
    assert_eq!(item.note, Some(playback(Quarantine::Blocked)));
    journal.close().await;
}

pub(in crate::journal) async fn notes_add_to_each_other_and_go_with_their_deletion(bench: &Bench) {
    let terms = Terms { plan: Some(HOUR), check: true, ..blocks(&delayed()) };
    let (id, appended) = ahead(bench, terms, items()).await;
    note(bench, appended.seq, ChoreWord::Check, vec![(0, found(Found::Missing))], None).await;
    done(by(bench, &id, Verb::Start, "ops").await);
    let blocked = vec![(0, playback(Quarantine::NotBlocked))];
    note(bench, appended.seq, ChoreWord::Quarantine, blocked, None).await;
    let both = Note { found: Some(Found::Missing), quarantine: Some(Quarantine::NotBlocked) };
    assert_eq!(notes(bench, appended.seq).await, [Some(both), None, None]);
    done(by(bench, &id, Verb::Cancel, "boss").await);
    cancel_steps(bench, appended.seq, 9).await;
    bench.clock.advance(DAYS);
    while bench.journal.clean(bench.now(), 2).await.unwrap() {}
    assert_eq!(bench.journal.deletion(&id).await, Ok(None));
}
