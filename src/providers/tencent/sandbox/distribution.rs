//! `ForbidMediaDistribution`: taking media off the air, and putting them back.
//!
//! Its own file because it is the one action that changes a media without taking anything from it. The page
//! (section 3.3) says: no deletion, `forbid` or `recover`, at most 20 ids, missing ones are listed, standard
//! and infrequent storage only. That URLs answer 403 only after 5 to 10 minutes cannot be seen through the API:
//! the status changes at once.
//!
//! Does not know signatures, limits or envelopes.

use serde_json::json;

use super::envelope::Refusal;
use super::fields::Arguments;
use super::library::Unmoved;
use super::operations::{Bench, Done, Refused, application, file_ids, read_only};
use crate::sandbox::Effect;

pub(super) fn forbid_media_distribution(bench: Bench<'_>, arguments: &Arguments) -> Result<Done, Refused> {
    let ids = file_ids(arguments)?;
    let forbid = match arguments.text("Operation") {
        Some("forbid") => true,
        Some("recover") => false,
        _ => {
            let message = "Operation is forbid or recover.";
            return Err(Refusal::new("InvalidParameterValue.Operation", message).into());
        }
    };
    let application = application(bench.options, arguments)?;
    let moved = match application {
        Some(application) => bench.library.distribute(application, &ids, forbid).map_err(refusal)?,
        None => vec![None; ids.len()],
    };
    let told = |id: &str, moved: Option<bool>| {
        let status = if forbid { "Forbidden" } else { "Normal" };
        Effect::part(id, format!("Status:{status}"), moved == Some(true))
    };
    let effects = ids.iter().zip(&moved).map(|(id, moved)| told(id, *moved)).collect();
    let missing: Vec<&str> = ids.iter().zip(&moved).filter(|(_, m)| m.is_none()).map(|(id, _)| *id).collect();
    Ok(Done { effects, ..read_only(json!({ "NotExistFileIdSet": missing })) })
}

/// Whether the other media of such a call are changed is not stated; here they are not.
fn refusal(unmoved: Unmoved) -> Refusal {
    match unmoved {
        Unmoved::Banned => {
            Refusal::new("FailedOperation.MediaForbidedBySystem", "The media is banned by the platform.")
        }
        // "standard and infrequent storage only"; the page names no code, this one is in the VOD list.
        Unmoved::Archived => {
            Refusal::new("InvalidParameterValue.StorageClass", "The media is in archive storage.")
        }
    }
}
