//! The fault matrix: the lines of FAULTS.md's table that concern vendor calls,
//! against both vendors over real HTTP.
//!
//! Rows are data: what is asked, what goes wrong, and the item, the lane, the
//! journal and the ledger that must come of it, as the contract and the vendors'
//! pages have it. One test for each line of the table; a test that fails names
//! its rows. What waits for the machine's own clock is in a test of its own.

mod row;

mod play;

mod lost;

mod told;

mod account;

use std::collections::BTreeSet;

use row::{BOTH, Row, Vendor};

/// Issue 3, point 10.
const LEAST_ROWS: usize = 64;

fn rows() -> Vec<Row> {
    lost::rows().into_iter().chain(told::rows()).chain(account::rows()).collect()
}

macro_rules! lines_of_the_table {
    ($($test:ident = $number:literal,)+) => {
        const LINES: &[u8] = &[$($number),+];

        $(
            #[tokio::test]
            async fn $test() {
                play::all(rows().into_iter().filter(|row| row.number == $number && !row.is_slow).collect()).await;
            }
        )+
    };
}

lines_of_the_table! {
    line_01_an_answer_is_lost = 1,
    line_02_a_repeat_could_hit_another_object = 2,
    line_03_all_are_missing = 3,
    line_04_some_are_missing_or_forbidden = 4,
    line_05_one_poisons_a_batch = 5,
    line_06_the_account_is_at_fault = 6,
    line_07_the_quota_is_shared = 7,
    line_08_a_token_expires = 8,
    line_09_the_clocks_differ = 9,
    line_10_a_nonce_was_used = 10,
    line_14_the_process_is_killed_while_sending = 14,
    line_24_the_vendor_answers_nonsense = 24,
    line_25_a_gateway_answers = 25,
    line_26_a_connection_was_closed = 26,
}

#[tokio::test]
async fn a_call_gets_no_answer_in_its_fifteen_seconds() {
    play::all(rows().into_iter().filter(|row| row.is_slow).collect()).await;
}

#[test]
fn every_line_has_rows_of_both_vendors_and_no_row_is_written_twice() {
    let rows = rows();
    assert!(rows.len() >= LEAST_ROWS, "only {} rows", rows.len());
    let covered: BTreeSet<(u8, Vendor)> = rows.iter().map(|row| (row.number, row.vendor)).collect();
    let wanted = LINES.iter().flat_map(|number| BOTH.map(|vendor| (*number, vendor))).collect();
    assert_eq!(covered, wanted, "rows and lines of the table");
    let lines_of_vendor_calls = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 14, 24, 25, 26];
    assert_eq!(LINES, lines_of_vendor_calls);
    let names: BTreeSet<(u8, Vendor, &str)> =
        rows.iter().map(|row| (row.number, row.vendor, row.name.as_str())).collect();
    assert_eq!(names.len(), rows.len(), "two rows have one name");
    for row in &rows {
        assert!(!row.ends.is_empty() && !row.trail.is_empty(), "{} expects nothing", row.name);
        assert!(row.targets.len() == 1 || row.calls.is_some(), "{} does not count its calls", row.name);
    }
}
