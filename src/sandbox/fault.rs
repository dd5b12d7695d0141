//! What can go wrong with a call, as a value: the kinds of fault, in the words of the JSON.
//!
//! Its own file because the words are a contract with tests and demos. `after_effect` says
//! whether the vendor did the work before things went wrong; it is the difference between "not
//! done" and "not told". `script` decides which call meets a fault, `server` acts it out, and a
//! vendor writes its own envelopes.

use serde::{Deserialize, Serialize};

/// A waiting fault waits no longer than this.
const MAX_DELAY_MS: u64 = 600_000;

/// The largest scripted body: it is made while it is sent, so only time is spent.
const MAX_HUGE_BYTES: u64 = 4 << 30;

fn yes() -> bool {
    true
}

/// What goes wrong. In JSON the name is in `kind`: `{"kind": "reset", "after_effect": true}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// The vendor's own throttling answer, without effect.
    Throttle {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
    },
    /// Any error in the vendor's envelope, without effect.
    Error {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<u16>,
        code: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
    /// The call takes effect, and then this error is answered.
    ErrorAfter {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<u16>,
        code: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
    /// An error in the vendor's XML envelope although JSON was asked for, without effect.
    XmlError {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<u16>,
        code: String,
    },
    /// An error in the vendor's older envelope, without effect.
    LegacyError { code: String },
    /// An HTML page of a gateway in between.
    HttpError {
        status: u16,
        #[serde(default)]
        after_effect: bool,
    },
    /// The connection is reset instead of an answer.
    Reset {
        #[serde(default)]
        after_effect: bool,
    },
    /// The head promises the whole answer, the body stops before byte `at_byte`.
    Cut {
        at_byte: u64,
        #[serde(default = "yes")]
        after_effect: bool,
    },
    /// 200 with bytes that are no envelope.
    Garbage {
        #[serde(default)]
        after_effect: bool,
    },
    /// 200 with no body.
    Empty {
        #[serde(default)]
        after_effect: bool,
    },
    /// 200 with a web page.
    Html {
        #[serde(default)]
        after_effect: bool,
    },
    /// 200 with a body of this many bytes.
    Huge {
        bytes: u64,
        #[serde(default)]
        after_effect: bool,
    },
    /// 302 to `location`.
    Redirect {
        location: String,
        #[serde(default)]
        after_effect: bool,
    },
    /// The answer comes `ms` later. The effect comes at once, or with `late_effect` after the
    /// wait, even if the client is gone by then.
    Delay {
        ms: u64,
        #[serde(default)]
        late_effect: bool,
    },
    /// No answer at all until the client leaves or the simulator stops.
    Hang {
        #[serde(default)]
        after_effect: bool,
    },
    /// The true answer, labelled `text/plain`.
    WrongContentType {},
    /// These words instead of the vendor's, labelled as JSON.
    Says {
        status: u16,
        body: String,
        #[serde(default)]
        after_effect: bool,
    },
}

impl Fault {
    /// The name that JSON and the ledger use.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Throttle { .. } => "throttle",
            Self::Error { .. } => "error",
            Self::ErrorAfter { .. } => "error_after",
            Self::XmlError { .. } => "xml_error",
            Self::LegacyError { .. } => "legacy_error",
            Self::HttpError { .. } => "http_error",
            Self::Reset { .. } => "reset",
            Self::Cut { .. } => "cut",
            Self::Garbage { .. } => "garbage",
            Self::Empty { .. } => "empty",
            Self::Html { .. } => "html",
            Self::Huge { .. } => "huge",
            Self::Redirect { .. } => "redirect",
            Self::Delay { .. } => "delay",
            Self::Hang { .. } => "hang",
            Self::WrongContentType {} => "wrong_content_type",
            Self::Says { .. } => "says",
        }
    }

    /// Whether the vendor does the work although things go wrong.
    #[must_use]
    pub fn takes_effect(&self) -> bool {
        match self {
            Self::Throttle { .. } | Self::Error { .. } | Self::XmlError { .. } | Self::LegacyError { .. } => {
                false
            }
            Self::ErrorAfter { .. } | Self::Delay { .. } | Self::WrongContentType {} => true,
            Self::HttpError { after_effect, .. }
            | Self::Reset { after_effect }
            | Self::Cut { after_effect, .. }
            | Self::Garbage { after_effect }
            | Self::Empty { after_effect }
            | Self::Html { after_effect }
            | Self::Huge { after_effect, .. }
            | Self::Redirect { after_effect, .. }
            | Self::Says { after_effect, .. }
            | Self::Hang { after_effect } => *after_effect,
        }
    }

    /// The refusal to ask the vendor for, if this fault speaks in the vendor's envelope.
    pub(super) fn refusal(&self) -> Option<VendorFault> {
        let blank = VendorFault {
            status: None,
            code: None,
            message: None,
            retry_after_ms: None,
            envelope: Envelope::Native,
        };
        match self {
            Self::Throttle { code, retry_after_ms } => {
                Some(VendorFault { code: code.clone(), retry_after_ms: *retry_after_ms, ..blank })
            }
            Self::Error { status, code, message } | Self::ErrorAfter { status, code, message } => {
                Some(VendorFault {
                    status: *status,
                    code: Some(code.clone()),
                    message: message.clone(),
                    ..blank
                })
            }
            Self::XmlError { status, code } => Some(VendorFault {
                status: *status,
                code: Some(code.clone()),
                envelope: Envelope::Xml,
                ..blank
            }),
            Self::LegacyError { code } => {
                Some(VendorFault { code: Some(code.clone()), envelope: Envelope::Legacy, ..blank })
            }
            Self::HttpError { .. }
            | Self::Reset { .. }
            | Self::Cut { .. }
            | Self::Garbage { .. }
            | Self::Empty { .. }
            | Self::Html { .. }
            | Self::Huge { .. }
            | Self::Redirect { .. }
            | Self::Delay { .. }
            | Self::Hang { .. }
            | Self::WrongContentType {}
            | Self::Says { .. } => None,
        }
    }

    /// Whether the fault can be acted out; the error says why not.
    pub(super) fn check(&self) -> Result<(), String> {
        let fine_status = |status: Option<u16>| match status {
            Some(status) if !(200..=599).contains(&status) => {
                Err(format!("status {status} is not between 200 and 599"))
            }
            _ => Ok(()),
        };
        match self {
            Self::Error { status, code, .. }
            | Self::ErrorAfter { status, code, .. }
            | Self::XmlError { status, code } => {
                if code.is_empty() {
                    return Err("code is empty".to_owned());
                }
                fine_status(*status)
            }
            Self::LegacyError { code } if code.is_empty() => Err("code is empty".to_owned()),
            Self::HttpError { status, .. } | Self::Says { status, .. } => fine_status(Some(*status)),
            Self::Huge { bytes, .. } if *bytes > MAX_HUGE_BYTES => {
                Err(format!("bytes is above {MAX_HUGE_BYTES}"))
            }
            Self::Delay { ms, .. } if *ms > MAX_DELAY_MS => Err(format!("ms is above {MAX_DELAY_MS}")),
            Self::Redirect { location, .. }
                if http::HeaderValue::from_str(location).is_err() || location.is_empty() =>
            {
                Err("location cannot be sent as a header".to_owned())
            }
            Self::Throttle { .. }
            | Self::LegacyError { .. }
            | Self::Reset { .. }
            | Self::Cut { .. }
            | Self::Garbage { .. }
            | Self::Empty { .. }
            | Self::Html { .. }
            | Self::Huge { .. }
            | Self::Redirect { .. }
            | Self::Delay { .. }
            | Self::Hang { .. }
            | Self::WrongContentType {} => Ok(()),
        }
    }
}

/// Which of a vendor's envelopes a scripted error is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Envelope {
    /// The one the request asks for.
    Native,
    Xml,
    Legacy,
}

/// A scripted error for [`super::Vendor::refuse`]. No `code` means the vendor's usual throttling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VendorFault {
    /// None means the status the vendor's page prints for the code.
    pub status: Option<u16>,
    pub code: Option<String>,
    pub message: Option<String>,
    pub retry_after_ms: Option<u64>,
    pub envelope: Envelope,
}
