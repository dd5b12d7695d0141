//! Compares what the vendors truly did with what the journal tells.
//!
//! Reads the ledgers and the journal file, never the service. Three things must
//! hold after every test: nothing was deleted that nobody asked for, whoever was
//! told `deleted` has a delete that truly worked, and whoever was told `absent`
//! has none. `inferred` promises less, so nothing is asked of it. Also here: the
//! counts of every deletion add up, and no nonce was used twice.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use vodrm::journal::sqlite::SqliteJournal;
use vodrm::journal::{DeletionFilter, ItemFilter, ItemRow, Journal};
use vodrm::providers::alibaba::sandbox::seed;
use vodrm::sandbox::{LedgerRow, Sandbox};
use vodrm::types::clock::Clock;
use vodrm::types::metrics::Metrics;
use vodrm::types::outcome::Outcome;
use vodrm::types::target::{Kind, Name};

use super::World;

/// What was asked of one asset, as far as a ledger can tell it apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Scope {
    Whole,
    Source,
    Parts,
}

type Key = (&'static str, String, Scope);

pub(crate) async fn check(world: &World) {
    let path = world.journal_path();
    let clock: Arc<dyn Clock> = Arc::clone(&world.clock) as _;
    let opened = tokio::task::spawn_blocking(move || SqliteJournal::open(&path, clock, Metrics::new()));
    let journal = opened.await.unwrap().unwrap();
    let mut items = Vec::new();
    for deletion in journal.deletions(DeletionFilter::default(), 100_000).await.unwrap() {
        let of_this = journal.items(deletion.seq, ItemFilter::default(), 1_000_000).await.unwrap();
        let ended = of_this.iter().filter(|item| item.ending.is_some()).count();
        assert_eq!(deletion.counts.total, of_this.len() as u64, "{}", deletion.id);
        assert_eq!(deletion.counts.open(), (of_this.len() - ended) as u64, "{}", deletion.id);
        for outcome in Outcome::ALL {
            let with = |item: &&ItemRow| item.ending.as_ref().is_some_and(|e| e.outcome == outcome);
            let counted = of_this.iter().filter(with).count() as u64;
            assert_eq!(deletion.counts.of(outcome), counted, "{outcome:?} of {}", deletion.id);
        }
        items.extend(of_this);
    }
    journal.close().await;
    drop(journal);
    compare(world, &items);
}

fn compare(world: &World, items: &[ItemRow]) {
    let mut asked: BTreeMap<Key, Vec<&ItemRow>> = BTreeMap::new();
    for item in items {
        asked.entry(key_of(world, item)).or_default().push(item);
    }
    let mut worked: BTreeSet<Key> = BTreeSet::new();
    for (provider, sandbox) in [("alibaba", world.alibaba()), ("tencent", world.tencent())] {
        no_nonce_twice(sandbox);
        // What only changes playback takes nothing away.
        for row in sandbox.ledger().into_iter().filter(|row| row.action.starts_with("Delete")) {
            for effect in row.effects.iter().filter(|effect| effect.effective) {
                let key = (provider, effect.id.clone(), scope_of(effect.part.as_deref()));
                assert!(asked.contains_key(&key), "nobody asked for {key:?} in {row:?}");
                worked.insert(key);
            }
        }
    }
    for (key, items) in &asked {
        let told = |item: &&&ItemRow, outcome| {
            item.ending.as_ref().is_some_and(|ending| ending.outcome == outcome && !ending.inferred)
        };
        if let Some(item) = items.iter().find(|item| told(item, Outcome::Deleted)) {
            assert!(worked.contains(key), "told as deleted, and no delete of it worked: {item:?}");
        }
        if items.iter().all(|item| told(&item, Outcome::Absent)) {
            assert!(!worked.contains(key), "told as absent, and a delete of it worked: {items:?}");
        }
    }
}

fn key_of(world: &World, item: &ItemRow) -> Key {
    let target = &item.wanted.as_ref().expect("no line of these uploads is unreadable").target;
    let account = world.settings.accounts.iter().find(|account| account.name == target.account);
    let provider = account.expect("the journal holds configured accounts only").provider.name;
    let id = match &target.name {
        Name::Id(id) => id.to_string(),
        Name::Reference(id) => item.resolved().map_or_else(|| id.to_string(), ToString::to_string),
        Name::Url(url) => image_at(url.as_str()),
    };
    let scope = match target.kind() {
        Kind::Media | Kind::Image | Kind::AttachedMedia => Scope::Whole,
        Kind::Source => Scope::Source,
        Kind::Renditions | Kind::Snapshots => Scope::Parts,
    };
    (provider, id, scope)
}

fn image_at(url: &str) -> String {
    let comma = seed::COMMA_IMAGE_URL.replace(',', "%2C");
    let known = (1..=seed::IMAGES).find(|n| seed::image_url(*n) == url).map(seed::image);
    known.unwrap_or_else(|| if url == comma { seed::COMMA_IMAGE.to_owned() } else { url.to_owned() })
}

fn scope_of(part: Option<&str>) -> Scope {
    match part {
        None => Scope::Whole,
        Some("source" | "OriginalFiles:0") => Scope::Source,
        Some(_) => Scope::Parts,
    }
}

fn no_nonce_twice(sandbox: &Sandbox) {
    let mut seen: HashSet<String> = HashSet::new();
    for LedgerRow { nonce, action, .. } in sandbox.ledger() {
        if let Some(nonce) = nonce {
            assert!(seen.insert(nonce.clone()), "nonce {nonce} was used again by {action}");
        }
    }
}
