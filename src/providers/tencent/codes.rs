//! The vendor's error codes and what each says.
//!
//! One table: exact codes first, then endings that name an account's fault, then
//! families, as the vendor page asks (sections 2.2, 6 and 7.1); the rest is
//! unspecified. Its own file because it is all the vendor's words and no logic:
//! what a meaning makes of an entry is `outcome.rs`' business.

use std::time::Duration;

use crate::types::outcome::LaneReason;
use crate::types::outcome::LaneReason::{
    BadCredentials, ExpiredCredentials, NotActivated, Suspended, WrongSubApplication,
};

/// The wait after a limit that others share: the root account or the address. The
/// page asks for a longer one than the second after our own limit (section 6).
const SHARED_LIMIT_WAIT: Duration = Duration::from_secs(2);

/// What a code says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The file does not exist.
    FileGone,
    /// Something that the request names does not exist, perhaps not the file.
    OtherGone,
    /// The key is not accepted; a newer one may be.
    Key(LaneReason),
    /// The time of the signature is too far from the vendor's.
    Clock,
    /// The account cannot be served.
    Account(LaneReason),
    /// No right to do it: to this asset, or at all.
    Denied,
    /// The vendor guards the asset.
    Protected,
    /// The request is wrong in what it asks of the target.
    Invalid,
    /// The same, and one of several parts may be the cause.
    InvalidPart,
    /// The request is wrong in a way that only our own fault explains.
    Misuse,
    /// Not in the asset's present state.
    Busy,
    /// Too many calls; the wait, where it should be longer than usual.
    Throttled(Option<Duration>),
    /// A quota for the day, or in all, is used up.
    QuotaUsedUp,
    /// The vendor's own trouble; what became of a delete is open.
    Trouble,
    /// Nothing that tells what to do.
    Unspecified,
}

use Meaning::{
    Account, Busy, Clock, Denied, FileGone, Invalid, InvalidPart, Key, Misuse, OtherGone, Protected,
    QuotaUsedUp, Throttled, Trouble, Unspecified,
};

/// The codes of the vendor page, sections 2.2, 6 and 7.1.
const CODES: &[(Meaning, &[&str])] = &[
    // The text of InvalidParameterValue.FileId is "FileId does not exist" (page 9, item 2).
    (FileGone, &["ResourceNotFound", "ResourceNotFound.FileNotExist", "InvalidParameterValue.FileId"]),
    (
        OtherGone,
        &[
            "ResourceNotFound.TemplateNotExist",
            "ResourceNotFound.CoverUrl",
            "ResourceNotFound.Person",
            "ResourceNotFound.Word",
            "FailedOperation.ClassNoFound",
        ],
    ),
    (
        Key(BadCredentials),
        &["AuthFailure.SecretIdNotFound", "AuthFailure.SignatureFailure", "AuthFailure.InvalidSecretId"],
    ),
    (Key(ExpiredCredentials), &["AuthFailure.TokenFailure"]),
    (Clock, &["AuthFailure.SignatureExpire"]),
    (
        Account(BadCredentials),
        &[
            "AuthFailure",
            "AuthFailure.InvalidAuthorization",
            "AuthFailure.MFAFailure",
            // Rules of the key: it is not accepted from our address.
            "IpInBlacklist",
            "IpNotInWhitelist",
        ],
    ),
    (
        Account(NotActivated),
        &[
            "FailedOperation.InvalidVodUser",
            "ResourceNotFound.ServiceNotExist",
            "ResourceNotFound.UserNotExist",
            // Its text is "VOD not activated".
            "InvalidParameterValue.AppId",
            // "Interface not opened to the account": of every asset alike.
            "FailedOperation.NoPrivileges",
        ],
    ),
    // The second is spelled so by the vendor.
    (Account(Suspended), &["FailedOperation.InvalidAccount", "FailedOperation.UserStatusInavlid"]),
    (Account(WrongSubApplication), &["InvalidParameterValue.SubAppId"]),
    (Denied, &["UnauthorizedOperation", "AuthFailure.UnauthorizedOperation", "OperationDenied"]),
    (Protected, &["FailedOperation.MediaForbidedBySystem", "InvalidParameterValue.DeleteDefaultTemplate"]),
    (
        InvalidPart,
        &[
            "InvalidParameter",
            "InvalidParameterValue",
            "InvalidParameterValue.Type",
            "InvalidParameterValue.Types",
            "InvalidParameterValue.FileType",
            "InvalidParameterValue.Definition",
            "InvalidParameterValue.Definitions",
            // Template 10000 among the parts names one.
            "ResourceUnavailable.MasterPlaylist",
        ],
    ),
    (
        Invalid,
        &[
            "FailedOperation.MediaType",
            "InvalidParameterValue.Operation",
            "InvalidParameterValue.InvalidOperationType",
            "InvalidParameterValue.Limit",
            "InvalidParameterValue.LimitTooLarge",
            "InvalidParameterValue.Offset",
            "InvalidParameterValue.OffsetTooLarge",
            "InvalidParameterValue.Sort",
            "InvalidParameterValue.Names",
            "InvalidParameterValue.NamePrefixes",
            "InvalidParameterValue.ClassId",
            "InvalidParameterValue.ClassIds",
            "InvalidParameterValue.Tags",
            "InvalidParameterValue.Text",
            "InvalidParameterValue.Categories",
            "InvalidParameterValue.SourceType",
            "InvalidParameterValue.SourceTypes",
            "InvalidParameterValue.StreamIds",
            "InvalidParameterValue.StorageRegion",
            "InvalidParameterValue.StorageRegions",
            "InvalidParameterValue.StartTime",
            "InvalidParameterValue.EndTime",
            "InvalidParameterValue.ExpireTime",
            "InvalidParameterValue.Vids",
            "InvalidParameterValue.TaskId",
            "InvalidParameterValue.Url",
            "InvalidParameterValue.DomainName",
            "InvalidParameterValue.DomainNames",
            "InvalidParameterValue.FileIds",
        ],
    ),
    (
        Misuse,
        &[
            "InvalidParameterValue.FileIdsEmpty",
            "InvalidParameterValue.FileIdsOverLimit",
            "InvalidParameterValue.FileIdsTooMany",
            "MissingParameter",
            "UnknownParameter",
            "ActionOffline",
            "InvalidAction",
            "NoSuchProduct",
            "NoSuchVersion",
            "UnsupportedRegion",
            "UnsupportedProtocol",
            "InvalidRequest",
            "RequestSizeLimitExceeded",
            "ResponseSizeLimitExceeded",
        ],
    ),
    (
        Busy,
        &[
            "FailedOperation.TaskDuplicate",
            "FailedOperation.DomainDeploying",
            "InvalidParameterValue.OriginalStorageClass",
            "InvalidParameterValue.StorageClass",
            "InvalidParameterValue.NotRestorable",
            "ResourceInUse",
            "ResourceUnavailable",
            "UnsupportedOperation",
            "UnsupportedOperation.ClassNotEmpty",
        ],
    ),
    // The second is a rate limit in spite of its family (section 6).
    (Throttled(None), &["RequestLimitExceeded", "UnauthorizedOperation.OperationTooOften"]),
    (
        Throttled(Some(SHARED_LIMIT_WAIT)),
        &[
            "RequestLimitExceeded.UinLimitExceeded",
            "RequestLimitExceeded.GlobalRegionUinLimitExceeded",
            "RequestLimitExceeded.IPLimitExceeded",
        ],
    ),
    (QuotaUsedUp, &["LimitExceeded", "LimitExceeded.Quota"]),
    (
        Trouble,
        &[
            "FailedOperation",
            "FailedOperation.DBError",
            "FailedOperation.NetWorkError",
            "InternalError",
            "InternalError.DBError",
            "InternalError.GetFileInfoError",
            "InternalError.GetMediaListError",
            "InternalError.UpdateMediaError",
            "InternalError.TimeParseError",
            // The page calls these unavailable. Neither says that nothing was begun,
            // so of a delete they leave the effect open.
            "ResourceInsufficient",
            "ServiceUnavailable",
        ],
    ),
    // "Would have succeeded"; the vendor does not use it here.
    (Unspecified, &["DryRunOperation"]),
];

/// Endings that mean the account whatever the family: API.md, "Lane or item".
const ENDINGS: &[(Meaning, &str)] = &[
    (Account(WrongSubApplication), ".SubAppId"),
    (Account(NotActivated), "InvalidVodUser"),
    (Account(Suspended), "UserStatusInavlid"),
];

/// Families of codes that appear without notice (page 7.1, last row). The page lists
/// `LimitExceeded.*` twice, as invalid and as throttled: a delete creates nothing
/// that could be counted, so a new quota is the likelier one.
const FAMILIES: &[(Meaning, &[&str])] = &[
    (Account(BadCredentials), &["AuthFailure"]),
    (Denied, &["UnauthorizedOperation", "OperationDenied"]),
    (OtherGone, &["ResourceNotFound"]),
    (Busy, &["ResourceInUse", "ResourceUnavailable", "UnsupportedOperation"]),
    (InvalidPart, &["InvalidParameter", "InvalidParameterValue"]),
    (Throttled(None), &["RequestLimitExceeded"]),
    (QuotaUsedUp, &["LimitExceeded"]),
    // The last two are not in that row; they are here to be as careful with their details.
    (Trouble, &["InternalError", "ResourceInsufficient", "ServiceUnavailable"]),
];

/// What a code means, and whether it stands in the table as it is.
pub(super) fn meaning(code: &str) -> (Meaning, bool) {
    if let Some(listed) = find(CODES, code) {
        return (listed, true);
    }
    let ending = ENDINGS.iter().find(|(_, end)| code.ends_with(end)).map(|(meaning, _)| *meaning);
    let family = || code.split_once('.').and_then(|(family, _)| find(FAMILIES, family));
    (ending.or_else(family).unwrap_or(Unspecified), false)
}

fn find(table: &[(Meaning, &[&str])], code: &str) -> Option<Meaning> {
    table.iter().find(|(_, codes)| codes.contains(&code)).map(|(meaning, _)| *meaning)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The page's outcome column, in the words of the contract.
    fn word(meaning: Meaning) -> &'static str {
        match meaning {
            FileGone | OtherGone => "absent",
            Key(_) | Clock | Account(_) => "lane",
            Denied => "forbidden",
            Protected => "protected",
            Invalid | InvalidPart | Misuse => "invalid",
            Busy => "busy",
            Throttled(_) | QuotaUsedUp => "throttled",
            Trouble => "open",
            Unspecified => "few tries",
        }
    }

    #[test]
    fn every_code_of_the_page_has_the_word_of_the_contract() {
        let page: &[(&str, &str)] = &[
            ("absent", "ResourceNotFound ResourceNotFound.FileNotExist InvalidParameterValue.FileId"),
            ("absent", "ResourceNotFound.TemplateNotExist ResourceNotFound.CoverUrl ResourceNotFound.Person"),
            ("absent", "ResourceNotFound.Word FailedOperation.ClassNoFound"),
            ("lane", "ResourceNotFound.UserNotExist ResourceNotFound.ServiceNotExist"),
            ("lane", "FailedOperation.InvalidVodUser FailedOperation.InvalidAccount"),
            ("lane", "FailedOperation.UserStatusInavlid FailedOperation.NoPrivileges"),
            ("lane", "InvalidParameterValue.AppId InvalidParameterValue.SubAppId"),
            ("lane", "AuthFailure AuthFailure.InvalidAuthorization AuthFailure.InvalidSecretId"),
            ("lane", "AuthFailure.MFAFailure AuthFailure.SecretIdNotFound AuthFailure.SignatureFailure"),
            ("lane", "AuthFailure.SignatureExpire AuthFailure.TokenFailure IpInBlacklist IpNotInWhitelist"),
            ("forbidden", "UnauthorizedOperation AuthFailure.UnauthorizedOperation OperationDenied"),
            (
                "protected",
                "FailedOperation.MediaForbidedBySystem InvalidParameterValue.DeleteDefaultTemplate",
            ),
            ("invalid", "FailedOperation.MediaType InvalidParameter InvalidParameterValue MissingParameter"),
            ("invalid", "UnknownParameter InvalidParameterValue.FileIds InvalidParameterValue.FileIdsEmpty"),
            ("invalid", "InvalidParameterValue.FileIdsOverLimit InvalidParameterValue.FileIdsTooMany"),
            (
                "invalid",
                "InvalidParameterValue.Type InvalidParameterValue.Types InvalidParameterValue.FileType",
            ),
            ("invalid", "InvalidParameterValue.Definition InvalidParameterValue.Definitions"),
            (
                "invalid",
                "InvalidParameterValue.Operation InvalidParameterValue.Url ResourceUnavailable.MasterPlaylist",
            ),
            ("invalid", "InvalidParameterValue.StorageRegion InvalidParameterValue.StorageRegions"),
            ("invalid", "ActionOffline InvalidAction NoSuchProduct NoSuchVersion UnsupportedRegion"),
            (
                "invalid",
                "UnsupportedProtocol InvalidRequest RequestSizeLimitExceeded ResponseSizeLimitExceeded",
            ),
            ("busy", "FailedOperation.TaskDuplicate FailedOperation.DomainDeploying ResourceInUse"),
            ("busy", "ResourceUnavailable UnsupportedOperation UnsupportedOperation.ClassNotEmpty"),
            ("busy", "InvalidParameterValue.OriginalStorageClass InvalidParameterValue.StorageClass"),
            ("busy", "InvalidParameterValue.NotRestorable"),
            ("throttled", "RequestLimitExceeded RequestLimitExceeded.UinLimitExceeded LimitExceeded"),
            ("throttled", "RequestLimitExceeded.GlobalRegionUinLimitExceeded LimitExceeded.Quota"),
            ("throttled", "RequestLimitExceeded.IPLimitExceeded UnauthorizedOperation.OperationTooOften"),
            ("open", "FailedOperation FailedOperation.DBError FailedOperation.NetWorkError InternalError"),
            ("open", "InternalError.DBError InternalError.GetFileInfoError InternalError.GetMediaListError"),
            ("open", "InternalError.UpdateMediaError InternalError.TimeParseError ResourceInsufficient"),
            ("open", "ServiceUnavailable"),
            ("few tries", "DryRunOperation"),
        ];
        for (expected, codes) in page {
            for code in codes.split(' ') {
                let (meaning, listed) = meaning(code);
                assert_eq!((word(meaning), listed), (*expected, true), "{code}");
            }
        }
    }

    #[test]
    fn an_unlisted_code_goes_by_its_family() {
        for (expected, code) in [
            ("lane", "AuthFailure.New"),
            ("lane", "InvalidParameter.SubAppId"),
            ("lane", "UnauthorizedOperation.SubAppId"),
            ("lane", "UnauthorizedOperation.InvalidVodUser"),
            ("lane", "ResourceUnavailable.UserStatusInavlid"),
            ("forbidden", "UnauthorizedOperation.New"),
            ("forbidden", "OperationDenied.New"),
            ("absent", "ResourceNotFound.New"),
            ("busy", "ResourceInUse.New"),
            ("busy", "ResourceUnavailable.New"),
            ("busy", "UnsupportedOperation.New"),
            ("invalid", "InvalidParameter.New"),
            ("invalid", "InvalidParameterValue.New.Newer"),
            ("throttled", "RequestLimitExceeded.New"),
            ("throttled", "LimitExceeded.New"),
            ("open", "InternalError.New"),
            ("open", "ServiceUnavailable.New"),
            ("few tries", "FailedOperation.New"),
            ("few tries", "New"),
            ("few tries", "New.Detail"),
            ("few tries", "InvalidParameterValues.FileId"),
            ("few tries", "resourcenotfound"),
            ("few tries", " ResourceNotFound"),
        ] {
            let (meaning, listed) = meaning(code);
            assert_eq!((word(meaning), listed), (expected, false), "{code}");
        }
    }

    #[test]
    fn no_code_is_listed_twice() {
        let mut seen = std::collections::BTreeSet::new();
        for code in CODES.iter().flat_map(|(_, codes)| *codes) {
            assert!(seen.insert(code), "{code}");
        }
    }

    #[test]
    fn only_file_level_codes_say_that_the_file_is_gone() {
        for code in ["ResourceNotFound", "ResourceNotFound.FileNotExist", "InvalidParameterValue.FileId"] {
            assert_eq!(meaning(code).0, FileGone, "{code}");
        }
        for code in
            ["ResourceNotFound.TemplateNotExist", "ResourceNotFound.New", "FailedOperation.ClassNoFound"]
        {
            assert_eq!(meaning(code).0, OtherGone, "{code}");
        }
    }
}
