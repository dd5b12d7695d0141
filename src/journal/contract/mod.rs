//! The contract of [`Journal`], as tests that know no store.
//!
//! Each test is an async function over a [`Bench`]: a journal, its clock and its
//! numbers. `contract_tests!` turns the whole list into tests of one store, so
//! that every store answers for every promise. What a store alone can show
//! (locks, damaged files) is tested beside it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::*;
use crate::types::clock::{Clock, ManualClock};
use crate::types::deletion::{Counts, Digest, IfAbsent, ItemState, Phase, Progress, Step, Wanted};
use crate::types::lifecycle::{Decision, DeletionState, PauseCode, Review, Terms, Verb};
use crate::types::metrics::Metrics;
use crate::types::outcome::{AttemptClass, Ending, Outcome};
use crate::types::target::{MediaId, Name, OperationName, Target, What};

pub(super) mod accepting;

pub(super) mod sending;

pub(super) mod ending;

pub(super) mod fairness;

pub(super) mod keys;

pub(super) mod uploads;

pub(super) mod coalescing;

pub(super) mod reading;

pub(super) mod crowds;

mod verbs;

pub(super) mod pausing;

pub(super) mod canceling;

pub(super) mod reopening;

pub(super) mod keeping;

pub(super) mod gates;

pub(super) mod ahead;

pub(super) mod limits;

pub(super) mod auditing;

pub(super) mod races;

pub(super) mod model;

/// Turns the contract into tests of one store. `$bench` makes a fresh one.
macro_rules! contract_tests {
    ($bench:path) => {
        $crate::journal::contract::contract_tests!($bench;
            accepting::a_deletion_reads_back_as_it_was_accepted,
            accepting::a_refused_append_leaves_nothing,
            accepting::one_bad_write_does_not_spoil_the_others,
            accepting::what_starts_as_sending_is_handed_out_at_once,
            accepting::what_ended_before_the_start_counts_at_once,
            accepting::what_hangs_on_an_ended_item_does_not_wait_for_it,
            accepting::everything_is_there_after_reopening,
            sending::an_item_is_handed_out_once,
            sending::a_claim_takes_the_group_of_the_oldest,
            sending::a_claim_stays_in_its_lane,
            sending::nothing_is_handed_out_before_it_is_due,
            sending::a_lane_of_many_groups_is_worked_off,
            sending::an_old_generation_changes_nothing,
            sending::what_is_done_never_changes,
            sending::a_repeat_remembers_how_far_it_came,
            sending::expired_leases_are_taken_back,
            sending::at_the_start_every_lease_is_taken_back,
            ending::a_follower_ends_with_its_leader,
            ending::followers_of_followers_end_in_the_same_commit,
            ending::an_item_that_waits_becomes_due_when_the_earlier_has_ended,
            ending::outcomes_are_numbered_without_a_gap,
            ending::a_call_for_two_deletions_finishes_both,
            ending::every_ending_reads_back,
            fairness::a_single_item_goes_with_the_next_call,
            fairness::callers_share_half_and_half,
            fairness::many_small_deletions_fill_a_call,
            fairness::what_is_not_due_yet_takes_no_turn,
            keys::of_many_twins_one_makes_a_deletion,
            keys::a_key_is_its_callers_and_of_one_request,
            keys::an_old_key_is_free_again,
            keys::a_key_is_busy_while_its_upload_is_received,
            keys::a_key_is_kept_over_a_restart,
            keys::a_refused_append_keeps_no_key,
            uploads::an_upload_is_invisible_until_it_is_sealed,
            uploads::a_discarded_upload_leaves_nothing,
            uploads::old_uploads_are_discarded_together,
            uploads::an_upload_is_sealed_whole_or_not,
            uploads::lines_that_cannot_be_read_are_items_that_ended,
            uploads::repeats_in_an_upload_are_found,
            coalescing::a_hundred_deletions_of_one_id_are_one_call,
            coalescing::what_is_being_sent_serves_who_comes_later,
            coalescing::one_between_two_tries_still_leads,
            coalescing::one_that_is_sent_takes_along_who_waits,
            coalescing::who_waited_for_one_that_was_served_is_let_go,
            coalescing::only_the_same_target_is_coalesced,
            coalescing::an_uploads_items_are_coalesced_too,
            reading::deletions_are_filtered,
            reading::deletions_are_paged_newest_first,
            reading::items_are_filtered_and_paged,
            reading::an_assets_history_is_found_by_every_name,
            reading::attempts_are_told_in_order,
            reading::what_is_not_there_is_not_found,
            reading::open_lanes_count_what_waits,
            crowds::concurrent_appends_share_commits,
            crowds::a_caller_that_goes_away_loses_nothing,
            crowds::counts_add_up_whenever_one_looks,
            crowds::two_claimers_never_get_the_same_item,
            crowds::after_close_nothing_is_written,
            pausing::a_paused_deletion_hands_out_nothing,
            pausing::what_was_sent_before_a_pause_is_recorded,
            pausing::a_paused_deletion_may_finish,
            pausing::what_is_tried_counts_from_the_last_resume,
            pausing::all_that_runs_can_be_paused_at_once,
            canceling::a_cancel_ends_what_was_not_sent,
            canceling::a_try_that_did_nothing_is_the_last_after_a_cancel,
            canceling::a_cancel_of_nothing_open_finishes_at_once,
            canceling::a_cancel_goes_on_after_a_restart,
            canceling::a_leader_that_was_not_sent_hands_on,
            canceling::who_waits_for_a_call_can_be_canceled_alone,
            canceling::a_call_that_may_have_worked_serves_all_who_wait,
            reopening::a_retry_keeps_what_was,
            reopening::a_retry_goes_on_after_a_restart,
            reopening::a_retry_keeps_a_pause,
            reopening::an_item_served_by_anothers_call_can_be_opened_alone,
            reopening::only_what_is_unknown_is_settled,
            keeping::shares_tell_who_else_is_in_a_lane,
            keeping::what_is_no_longer_kept_goes_and_nothing_else,
            keeping::a_removal_goes_on_after_a_restart,
            keeping::a_discarded_upload_is_removed,
            keeping::old_keys_are_forgotten,
            gates::every_gate_is_passed_in_order_and_nothing_is_sent_before,
            gates::an_upload_passes_the_same_gates,
            gates::what_has_ended_at_once_waits_for_nobody,
            gates::what_nobody_let_go_on_is_not_opened_again,
            gates::nothing_starts_as_sending_before_it_may,
            gates::who_asked_does_not_approve,
            gates::a_decision_is_about_what_was_seen,
            gates::what_is_rejected_or_canceled_ahead_is_never_sent,
            gates::a_plan_and_a_request_for_approval_expire,
            gates::a_delay_survives_a_pause_and_a_restart,
            gates::what_has_lapsed_is_told_earliest_first,
            gates::what_does_not_run_shares_no_call,
            gates::deletions_ahead_are_listed_by_their_state,
            ahead::a_plan_is_looked_up_before_it_can_start,
            ahead::playback_is_blocked_while_it_waits_and_lifted_if_it_dies,
            ahead::playback_is_blocked_once_on_the_way,
            ahead::work_ahead_goes_on_after_a_restart,
            ahead::notes_add_to_each_other_and_go_with_their_deletion,
            limits::a_days_items_are_counted_and_capped,
            limits::a_plan_counts_when_it_is_started,
            limits::an_upload_counts_when_it_is_sealed,
            limits::a_replay_counts_nothing,
            limits::fifty_at_once_never_pass_a_cap,
            limits::holds_are_kept_until_they_are_lifted,
            limits::stops_are_kept_until_they_are_lifted,
            auditing::every_decision_is_recorded_once,
            auditing::every_call_is_recorded_with_its_items,
            auditing::a_call_is_recorded_as_it_went,
            auditing::what_is_given_up_or_decided_is_recorded,
            auditing::holds_stops_and_what_was_refused_are_recorded,
            auditing::records_are_filtered_and_paged,
            auditing::a_time_is_found_in_a_long_chain,
            auditing::records_outlive_their_deletion_and_a_restart,
            auditing::a_refused_write_leaves_no_record,
            races::of_equal_verbs_one_wins,
            races::verbs_race_with_calls_and_all_adds_up,
            races::approval_races_have_one_winner_each,
        );
    };
    ($bench:path; $($part:ident::$name:ident),* $(,)?) => {
        $(
            #[tokio::test]
            async fn $name() {
                let bench = $bench().await;
                $crate::journal::contract::$part::$name(&bench).await;
                bench.store.examine();
            }
        )*
    };
}
pub(super) use contract_tests;

/// Where a journal is kept.
#[async_trait]
pub(super) trait Store: Send + Sync {
    /// Opens it, again if it was open before.
    async fn open(&self, clock: Arc<dyn Clock>, metrics: Metrics) -> Arc<dyn Journal>;

    /// Looks behind the trait, after a test: whether what is stored keeps its own rules.
    fn examine(&self) {}
}

/// A journal under test.
pub(super) struct Bench {
    pub(super) store: Box<dyn Store>,
    pub(super) journal: Arc<dyn Journal>,
    pub(super) clock: Arc<ManualClock>,
    pub(super) metrics: Metrics,
}

pub(super) const LEASE: Duration = Duration::from_secs(30);

impl Bench {
    pub(super) async fn on(store: Box<dyn Store>) -> Self {
        let clock = ManualClock::at("2026-11-05T10:00:00.250Z".parse().unwrap());
        let metrics = Metrics::new();
        let journal = store.open(clock.clone(), metrics.clone()).await;
        Self { store, journal, clock, metrics }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// How many commits went to disk.
    pub(super) fn commits(&self) -> u64 {
        let text = self.metrics.text();
        let line = text.lines().find_map(|l| l.strip_prefix("vodrm_journal_commit_writes_count "));
        line.unwrap().parse().unwrap()
    }

    /// Appends what has no key yet.
    pub(super) async fn accept(&self, deletion: NewDeletion) -> Appended {
        accepted(self.journal.append(deletion).await.unwrap())
    }

    pub(super) async fn append(&self, items: Vec<NewItem>) -> Appended {
        self.accept(deletion(items)).await
    }

    pub(super) async fn claim(&self, operation: &'static str, max: usize) -> Vec<Claimed> {
        self.journal.claim(&lane(operation), max, LEASE).await.unwrap().items
    }

    /// Records one answered call that ends these items so.
    pub(super) async fn end(&self, items: &[Claimed], ending: &Ending) -> Recorded {
        let changes = items.iter().map(|item| change(item, Next::Ended(ending.clone()))).collect();
        self.journal.record(self.call(AttemptClass::Answered), changes).await.unwrap()
    }

    /// Records one refused call after which these items wait.
    pub(super) async fn again(
        &self,
        items: &[Claimed],
        step: &Step,
        wait: Duration,
        counts: bool,
    ) -> Recorded {
        let next = Next::Again { step: step.clone(), due_at: self.now() + wait, counts };
        let changes = items.iter().map(|item| change(item, next.clone())).collect();
        self.journal.record(self.call(AttemptClass::Refused), changes).await.unwrap()
    }

    pub(super) fn call(&self, class: AttemptClass) -> CallRecord {
        CallRecord {
            lane: lane("DeleteVideo"),
            phase: Phase::Delete,
            started_at: self.now(),
            duration: Duration::from_millis(120),
            class,
            status: Some(200),
            vendor_code: None,
            request_id: Some("25818875-5F78-4AF6-D7D1-B5E0E0A0E1C4".to_owned()),
        }
    }

    pub(super) async fn item(&self, deletion: DeletionSeq, index: u32) -> ItemRow {
        self.journal.item(ItemKey { deletion, index }).await.unwrap().unwrap().item
    }

    pub(super) async fn items(&self, deletion: DeletionSeq) -> Vec<ItemRow> {
        self.journal.items(deletion, ItemFilter::default(), 10_000).await.unwrap()
    }

    /// The newest deletion but `back`.
    pub(super) async fn newest(&self, back: usize) -> DeletionRow {
        self.journal.deletions(DeletionFilter::default(), back + 1).await.unwrap().swap_remove(back)
    }
}

/// A deletion that was made.
pub(super) fn accepted(told: Accepted) -> Appended {
    let Accepted::New(appended) = told else { panic!("{told:?}") };
    appended
}

pub(super) fn account() -> AccountId {
    AccountId::parse("media-cn").unwrap()
}

pub(super) fn lane(operation: &'static str) -> LaneId {
    LaneId { account: account(), operation: OperationName::known(operation) }
}

pub(super) fn step(operation: &'static str, group: &str) -> Step {
    Step { operation: OperationName::known(operation), phase: Phase::Delete, group: group.to_owned() }
}

pub(super) fn delete() -> Step {
    step("DeleteVideo", "")
}

pub(super) fn wanted(name: &str) -> Wanted {
    let target = Target { account: account(), name: Name::parse("id", name).unwrap(), what: What::Media };
    Wanted { target, label: None }
}

pub(super) fn item(name: &str, start: Start) -> NewItem {
    NewItem { wanted: Some(wanted(name)), start }
}

pub(super) fn waiting(name: &str) -> NewItem {
    item(name, Start::Waits(delete()))
}

pub(super) fn sent(name: &str) -> NewItem {
    item(name, Start::Sends { step: delete(), lease: LEASE })
}

pub(super) fn deletion(items: Vec<NewItem>) -> NewDeletion {
    NewDeletion {
        id: DeletionId::new(),
        requested_by: "ops".to_owned(),
        reason: None,
        if_absent: IfAbsent::Ok,
        items,
        digest: Digest([7; 32]),
        once: None,
        terms: Terms::default(),
        daily_cap: None,
    }
}

pub(super) fn change(item: &Claimed, next: Next) -> Change {
    Change { key: item.key, generation: item.generation, progress: None, next }
}

/// Deletions that a write has finished.
pub(super) fn finished(recorded: &Recorded) -> Vec<DeletionSeq> {
    recorded.touched.iter().filter(|touched| touched.finished).map(|touched| touched.seq).collect()
}

/// The lanes in which items wait now, none of an upload.
pub(super) fn lanes(recorded: &Recorded) -> Vec<LaneId> {
    assert!(recorded.waiting.iter().all(|waiting| !waiting.bulk));
    recorded.waiting.iter().map(|waiting| waiting.lane.clone()).collect()
}

pub(super) fn names(items: &[Claimed]) -> Vec<&str> {
    items.iter().map(|item| item.target.name.as_str()).collect()
}
