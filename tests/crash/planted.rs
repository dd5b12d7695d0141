//! The checker is checked: whatever is planted turns it red.
//!
//! A small job without any death gives evidence that is in order, taken by the same
//! ways as everywhere else. Then one thing is changed at a time, as a service with
//! that fault would have left it, and the checker must name it. One fault is real: a
//! delete that reaches a vendor past the service.

use std::time::Duration;

use serde_json::json;

use super::checker::{self, Wrong};
use super::client::{Client, Fate};
use super::config::Pace;
use super::evidence::{Before, Evidence};
use super::http;
use super::journal::Item;
use super::load::{self, Size};
use super::stage::{Assets, Effect, LedgerRow, Stage};

const SIZE: Size = Size { items: 400, tencent: 150, request: 200 };
const ASSETS: Assets = Assets { alibaba: 400, tencent: 300 };
const PACE: Pace = Pace { alibaba: 40, tencent: 400 };

/// A job that nobody disturbs, and a delete that nobody asked for if so wanted.
fn quiet_job(rogue: bool) -> Evidence {
    let stage = Stage::new(ASSETS, PACE);
    let before = Before::look(&stage);
    let client = Client::default();
    let service = stage.serve();
    client.serve(service.address().unwrap());
    let requests = load::requests(&stage.vendors, SIZE, 7);
    for request in &requests {
        client.submit(request);
    }
    client.wait_until_over(Duration::from_secs(30));
    client.look(&mut rand::SeedableRng::seed_from_u64(1));
    if rogue {
        let refused = requests.iter().filter(|request| request.spoiled);
        let bystander = refused.flat_map(|request| &request.targets).find(|target| target.account == "a-cn");
        let id = &bystander.unwrap().id;
        // Without signatures anybody can.
        stage.vendors.alibaba.set_options(&json!({"fast": true}));
        let path = format!("/?Action=DeleteVideo&Version=2017-03-21&Format=JSON&VideoIds={id}");
        let answer = http::exchange(stage.vendors.alibaba.address, "POST", &path, &[], &[]).unwrap();
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    }
    before.collect(&stage, &client, service, 0)
}

#[test]
fn a_delete_that_nobody_asked_for_turns_the_checker_red() {
    let found = checker::check(&quiet_job(true));
    assert_eq!(found.kinds(), [Wrong::Unasked].into(), "{}", found.told());
}

/// What a faulty service would have left, and what it must be called.
type Plant = (&'static str, Wrong, fn(&mut Evidence));

fn journaled(evidence: &mut Evidence, which: fn(&Item) -> bool) -> &mut Item {
    // Not one that others follow, so that one thing is wrong and no other.
    let followed: Vec<_> =
        evidence.journal.items.iter().filter_map(|item| Some((item.deletion, item.same_as?))).collect();
    let alone = |item: &&mut Item| {
        item.same_as.is_none() && !followed.contains(&(item.deletion, item.index)) && item.kind == "media"
    };
    evidence.journal.items.iter_mut().filter(alone).find(|item| which(item)).unwrap()
}

fn ledger(evidence: &mut Evidence) -> &mut Vec<LedgerRow> {
    &mut evidence.witnesses[0].ledger
}

fn effective(evidence: &mut Evidence) -> &mut LedgerRow {
    let worked = |row: &&mut LedgerRow| {
        row.action == "DeleteVideo" && row.effects.iter().any(|effect| effect.effective)
    };
    ledger(evidence).iter_mut().find(worked).unwrap()
}

fn is(item: &Item, outcome: &str) -> bool {
    item.outcome == Some(outcome)
}

/// Changes an item's outcome with everything that hangs on it, as a service would.
fn retell(evidence: &mut Evidence, from: &'static str, to: &'static str, inferred: bool) {
    let item = match from {
        "deleted" => journaled(evidence, |item| is(item, "deleted")),
        _ => journaled(evidence, |item| is(item, "absent")),
    };
    (item.outcome, item.inferred) = (Some(to), inferred);
    let (seq, index) = (item.deletion, usize::try_from(item.index).unwrap());
    let place = |word| super::journal::OUTCOMES.iter().position(|known| *known == word).unwrap();
    let deletion = evidence.journal.deletions.iter_mut().find(|deletion| deletion.seq == seq).unwrap();
    deletion.counts[place(from)] -= 1;
    deletion.counts[place(to)] += 1;
    let (counted, items) = evidence.shown.get_mut(&deletion.id).unwrap();
    *counted.counts.get_mut(from).unwrap() -= 1;
    *counted.counts.get_mut(to).unwrap() += 1;
    (items[index].outcome, items[index].inferred) = (Some(to.to_owned()), inferred);
    evidence.sights.clear();
    evidence.counted.clear();
}

const PLANTS: &[Plant] = &[
    ("an item is gone", Wrong::Lost, |evidence| {
        evidence.journal.items.pop();
    }),
    ("an item never ended", Wrong::Lost, |evidence| {
        journaled(evidence, |_| true).outcome = None;
    }),
    ("an item is still handed out", Wrong::Lost, |evidence| {
        journaled(evidence, |_| true).sending = true;
    }),
    ("an accepted deletion is gone", Wrong::Lost, |evidence| {
        let gone = evidence.journal.deletions.remove(0);
        evidence.journal.items.retain(|item| item.deletion != gone.seq);
        evidence.shown.remove(&gone.id);
    }),
    ("an item was added", Wrong::Invented, |evidence| {
        let mut more = evidence.journal.items.last().unwrap().clone();
        more.index += 1;
        evidence.journal.items.push(more);
    }),
    ("an item names another asset", Wrong::Invented, |evidence| {
        journaled(evidence, |_| true).name = "0".repeat(32);
    }),
    ("a refused request was carried out", Wrong::Invented, |evidence| {
        let accepted = evidence.asked.iter_mut().find(|asked| matches!(asked.fate, Fate::Accepted(_)));
        accepted.unwrap().fate = Fate::Refused(503);
    }),
    ("deleted, and told as absent", Wrong::Outcome, |evidence| {
        retell(evidence, "deleted", "absent", false);
    }),
    ("deleted, and told as failed", Wrong::Outcome, |evidence| {
        retell(evidence, "deleted", "failed", false);
    }),
    ("missing, and told as deleted", Wrong::Outcome, |evidence| {
        retell(evidence, "absent", "deleted", false);
    }),
    ("missing, and inferred although every answer came", Wrong::Outcome, |evidence| {
        retell(evidence, "absent", "deleted", true);
    }),
    ("the API tells another outcome than the journal", Wrong::Outcome, |evidence| {
        let (_, items) = evidence.shown.values_mut().next().unwrap();
        items[0].outcome = Some("unknown".to_owned());
    }),
    ("an item is not shown", Wrong::Lost, |evidence| {
        evidence.shown.values_mut().next().unwrap().1.pop();
    }),
    ("a delete of something else", Wrong::Unasked, |evidence| {
        let effects = &mut effective(evidence).effects;
        effects.push(Effect { id: "f".repeat(32), part: None, effective: false });
    }),
    ("a delete of another kind", Wrong::Unasked, |evidence| {
        let effect = &mut effective(evidence).effects[0];
        effect.part = Some("source".to_owned());
    }),
    ("a delete of which the vendor tells no effect", Wrong::Unasked, |evidence| {
        let row = effective(evidence);
        row.effects.clear();
        row.ids = vec!["f".repeat(32)];
    }),
    ("a call without need", Wrong::Repeated, |evidence| {
        let mut again = effective(evidence).clone();
        again.nonce = Some("another".to_owned());
        again.effects.iter_mut().for_each(|effect| effect.effective = false);
        ledger(evidence).push(again);
    }),
    ("counts of the journal", Wrong::Counts, |evidence| {
        evidence.journal.deletions[0].counts[0] += 1;
    }),
    ("counts of an earlier look", Wrong::Counts, |evidence| {
        *evidence.counted[0].counts.get_mut("pending").unwrap() += 1;
    }),
    ("counts that went back", Wrong::Changed, |evidence| {
        let mut earlier = evidence.counted[0].clone();
        *earlier.counts.get_mut("deleted").unwrap() += 1;
        *earlier.counts.get_mut("total").unwrap() += 1;
        evidence.counted.insert(0, earlier);
    }),
    ("an outcome that changed", Wrong::Changed, |evidence| {
        evidence.sights[0].2.outcome = Some("unknown".to_owned());
    }),
    ("a burst", Wrong::Rate, |evidence| {
        let row = effective(evidence).clone();
        let burst = (0..PACE.alibaba * 2).map(|n| LedgerRow { nonce: Some(n.to_string()), ..row.clone() });
        let burst: Vec<LedgerRow> = burst.collect();
        ledger(evidence).extend(burst);
    }),
    ("a call before the commit", Wrong::Early, |evidence| {
        let row = effective(evidence);
        row.time -= Duration::from_secs(5);
    }),
    ("a nonce twice", Wrong::Nonce, |evidence| {
        let nonce = ledger(evidence)[0].nonce.clone();
        ledger(evidence)[1].nonce = nonce;
    }),
    ("a ledger that does not tell everything", Wrong::Ledger, |evidence| {
        effective(evidence).effects.pop();
    }),
];

#[test]
fn every_planted_fault_turns_the_checker_red() {
    let evidence = quiet_job(false);
    let found = checker::check(&evidence);
    assert!(found.violations.is_empty(), "{}", found.told());
    assert!(found.items > 300 && found.outcomes["deleted"] > 250 && found.outcomes["absent"] > 1);
    for (name, wrong, plant) in PLANTS {
        let mut planted = evidence.clone();
        plant(&mut planted);
        let found = checker::check(&planted);
        assert!(found.kinds().contains(wrong), "{name} is not {wrong:?}: {}", found.told());
    }
}
