//! Alibaba's error codes, in one table.
//!
//! Its own file because it is all data and grows by a line whenever the vendor's
//! page does. What follows from a meaning, which differs between reads and
//! deletes, is `outcome.rs`' business.

use std::time::Duration;

use crate::types::outcome::LaneReason;

/// After a quota per minute is used up.
const MINUTE: Duration = Duration::from_mins(1);

/// What a code means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Something is not there.
    Missing(Thing),
    /// The asset's status does not allow it now.
    Busy,
    /// No right to the asset, or to the operation.
    Forbidden,
    /// A parameter is malformed; it may be one entry's.
    Invalid,
    /// The request as such is wrong, whoever is in it.
    WrongRequest,
    /// Too many calls; the wait, where the code tells one.
    Throttled(Option<Duration>),
    /// A quota per day.
    QuotaUsedUp,
    /// The vendor failed, and may have done it.
    Failed,
    /// The nonce was seen before: a copy of the request has arrived.
    Replayed,
    /// Our time is too far from theirs.
    WrongTime,
    /// The key is not accepted; another one might be.
    Key(LaneReason),
    /// The account is not served.
    Account(LaneReason),
}

/// What a "not found" is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Thing {
    /// The video or media itself. In a call with a list: all of them.
    Asset,
    /// A stream of it.
    Stream,
    /// Its source file.
    File,
    /// An image or snapshot.
    Resource,
    /// Something else.
    Other,
}

/// Alibaba's codes; page section 7. A `*` stands for anything. Without regard to case:
/// an exact entry wins, then the longest text before the `*`, then the longest in all.
const CODES: &[(&str, Meaning)] = &[
    // Not there.
    ("InvalidVideo.NotFound", Meaning::Missing(Thing::Asset)),
    ("InvalidVideoId.NotFound", Meaning::Missing(Thing::Asset)),
    ("InvalidMedia.NotFound", Meaning::Missing(Thing::Asset)),
    ("InvalidMediaId.NotFound", Meaning::Missing(Thing::Asset)),
    ("InvalidStream.NotFound", Meaning::Missing(Thing::Stream)),
    ("InvalidVideo.NoneStream", Meaning::Missing(Thing::Stream)),
    ("InvalidFile.NotFound", Meaning::Missing(Thing::File)),
    ("NoSuchResource", Meaning::Missing(Thing::Resource)),
    ("InvalidImage*.NotFound", Meaning::Missing(Thing::Resource)),
    ("InvalidSnapshot*.NotFound", Meaning::Missing(Thing::Resource)),
    ("Invalid*.NotFound", Meaning::Missing(Thing::Other)),
    // Not now.
    ("Forbidden.IllegalStatus", Meaning::Busy),
    // No right.
    ("Forbidden", Meaning::Forbidden),
    ("Forbidden.*", Meaning::Forbidden),
    ("NoPermission*", Meaning::Forbidden),
    ("AccessDenied*", Meaning::Forbidden),
    ("IllegalOperation", Meaning::Forbidden),
    ("OperationDenied.*", Meaning::Forbidden),
    // Malformed; perhaps one entry only.
    ("MissingParameter", Meaning::Invalid),
    ("Missing*", Meaning::Invalid),
    ("Invalid*", Meaning::Invalid),
    ("*.Malformed", Meaning::Invalid),
    ("*.ValueNotSupported", Meaning::Invalid),
    ("*ExceededMax", Meaning::Invalid),
    // Only where ResultType is Single; GetPlayInfo page.
    ("Forbidden.AliyunVoDEncryption", Meaning::WrongRequest),
    // The request as such: our mistake, or a host that does not serve it. Several end in
    // `.NotFound` and must not pass for a missing asset.
    ("UnsupportedOperation", Meaning::WrongRequest),
    ("UnsupportedHTTPMethod", Meaning::WrongRequest),
    ("UnsupportedParameter", Meaning::WrongRequest),
    ("InvalidAction*", Meaning::WrongRequest),
    ("InvalidApi.*", Meaning::WrongRequest),
    ("InvalidVersion*", Meaning::WrongRequest),
    ("NoSuchVersion", Meaning::WrongRequest),
    ("InvalidProtocol.*", Meaning::WrongRequest),
    ("InvalidProduct*", Meaning::WrongRequest),
    ("InvalidRegion*", Meaning::WrongRequest),
    ("InvalidDomain.*", Meaning::WrongRequest),
    ("MissingAction", Meaning::WrongRequest),
    ("MissingVersion", Meaning::WrongRequest),
    // Too many.
    ("Throttling", Meaning::Throttled(None)),
    ("Throttling.*", Meaning::Throttled(None)),
    ("QuotaPerMinuteExceeded*", Meaning::Throttled(Some(MINUTE))),
    ("QuotaExceeded*", Meaning::QuotaUsedUp),
    // Failed; FAULTS section 1: the effect is open.
    ("Delete*Failed", Meaning::Failed),
    ("InternalError*", Meaning::Failed),
    ("UnknownError*", Meaning::Failed),
    ("ServiceUnavailable*", Meaning::Failed),
    ("ServiceBusy", Meaning::Failed),
    ("PreloadQueueFull", Meaning::Failed),
    ("InvalidDomain.Configure_failed", Meaning::Failed),
    ("SignatureNonceUsed", Meaning::Replayed),
    // Time and key.
    ("InvalidTimeStamp*", Meaning::WrongTime),
    ("InvalidTimeStamp.Format", Meaning::Key(LaneReason::BadCredentials)),
    ("IllegalTimestamp", Meaning::Key(LaneReason::BadCredentials)),
    ("SignatureDoesNotMatch", Meaning::Key(LaneReason::BadCredentials)),
    ("IncompleteSignature", Meaning::Key(LaneReason::BadCredentials)),
    ("InvalidSignature*", Meaning::Key(LaneReason::BadCredentials)),
    ("InvalidAccessKeyId*", Meaning::Key(LaneReason::BadCredentials)),
    ("Forbidden.AccessKeyDisabled", Meaning::Key(LaneReason::BadCredentials)),
    ("MissingAccessKey*", Meaning::Key(LaneReason::BadCredentials)),
    ("MissingSignature*", Meaning::Key(LaneReason::BadCredentials)),
    ("MissingTimestamp", Meaning::Key(LaneReason::BadCredentials)),
    ("MissingSecurityToken*", Meaning::Key(LaneReason::BadCredentials)),
    ("InvalidSecurityToken*", Meaning::Key(LaneReason::BadCredentials)),
    ("InvalidSecurityToken.Expired", Meaning::Key(LaneReason::ExpiredCredentials)),
    ("SecurityTokenExpired", Meaning::Key(LaneReason::ExpiredCredentials)),
    // The account.
    ("OperationDenied", Meaning::Account(LaneReason::NotActivated)),
    ("OperationDenied.Suspended", Meaning::Account(LaneReason::Suspended)),
];

/// What a code means, if it is in the table.
pub(super) fn meaning(code: &str) -> Option<Meaning> {
    let fitting = CODES.iter().filter_map(|(pattern, meaning)| Some((rank(pattern, code)?, *meaning)));
    fitting.max_by_key(|(rank, _)| *rank).map(|(_, meaning)| meaning)
}

/// How closely a pattern fits a code.
fn rank(pattern: &str, code: &str) -> Option<(usize, usize)> {
    let Some((start, end)) = pattern.split_once('*') else {
        return pattern.eq_ignore_ascii_case(code).then_some((usize::MAX, 0));
    };
    let (code, rest) = (code.as_bytes(), code.len().checked_sub(start.len() + end.len())?);
    let fits = code.get(..start.len())?.eq_ignore_ascii_case(start.as_bytes())
        && code.get(start.len() + rest..)?.eq_ignore_ascii_case(end.as_bytes());
    fits.then_some((start.len(), start.len() + end.len()))
}
