//! When a deletion ends.
//!
//! From the rate that was measured once a job runs steadily, and before that from
//! the lanes' rates, what waits, and with how many others each lane is shared.
//! Pure but for the reads; its own file because it only tells and never decides.

use jiff::Timestamp;

use super::Dispatch;
use crate::journal::{self, DeletionRow};

/// When a deletion should end.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Forecast {
    /// When its last item should end; `None` if it cannot be told.
    pub finishes_at: Option<Timestamp>,
    /// Items that end in a second now.
    pub items_per_second: Option<f64>,
}

impl Dispatch {
    /// When this deletion should end, as far as can be told.
    pub async fn forecast(&self, _deletion: &DeletionRow) -> Result<Forecast, journal::Error> {
        Ok(Forecast::default())
    }
}
