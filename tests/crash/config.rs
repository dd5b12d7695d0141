//! The file that configures the service: both accounts, and limits that let a job last.
//!
//! Its own file because the checker holds the vendors' ledgers to the same limits
//! that are written here.

use std::path::Path;

use super::stage::Vendors;

/// The account at Alibaba Cloud VOD.
pub(crate) const ALIBABA: &str = "a-cn";
/// The account at Tencent Cloud VOD.
pub(crate) const TENCENT: &str = "t-intl";

/// Calls a second that an operation may make.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limit {
    pub(crate) account: &'static str,
    pub(crate) action: &'static str,
    pub(crate) qps: u32,
}

/// How fast the deletes go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// `DeleteVideo`, of up to 20 ids.
    pub(crate) alibaba: u32,
    /// `DeleteMedia`, of one id.
    pub(crate) tencent: u32,
}

impl Pace {
    pub(crate) fn limits(self) -> [Limit; 6] {
        [
            Limit { account: ALIBABA, action: "DeleteVideo", qps: self.alibaba },
            Limit { account: ALIBABA, action: "DeleteMezzanines", qps: self.alibaba },
            // A read of one video: with fewer, a death in the middle of a call takes seconds to settle.
            Limit { account: ALIBABA, action: "GetMezzanineInfo", qps: 500 },
            Limit { account: ALIBABA, action: "GetVideoInfos", qps: 100 },
            Limit { account: TENCENT, action: "DeleteMedia", qps: self.tencent },
            Limit { account: TENCENT, action: "DescribeMediaInfos", qps: 100 },
        ]
    }
}

/// The default share of a limit; `rate = qps × share`, `burst = qps − rate`.
pub(crate) const SHARE: f64 = 0.9;

/// The file's text.
pub(crate) fn text(vendors: &Vendors, journal: &Path, pace: Pace) -> String {
    let mut text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\ndrain_delay = \"50ms\"\n\
         [store]\nurl = \"sqlite://{}\"\n\
         [retry]\ncool_down = \"300ms\"\n\
         [lanes]\nqueue_depth = 100000\n\
         [log]\nformat = \"json\"\nlevel = \"warn,vodrm::app=info\"\n",
        journal.display()
    );
    for (account, provider, endpoint, name) in [
        (ALIBABA, "alibaba", &vendors.alibaba.url, "ALIBABA"),
        (TENCENT, "tencent", &vendors.tencent.url, "TENCENT"),
    ] {
        let section = format!(
            "[accounts.{account}]\nprovider = \"{provider}\"\nendpoint = \"{endpoint}\"\n\
             credentials = {{ env = {{ id = \"{name}_ID\", secret = \"{name}_SECRET\" }} }}\n"
        );
        text.push_str(&section);
    }
    for Limit { account, action, qps } in pace.limits() {
        text.extend(["[accounts.", account, ".limits.", action, "]\nqps = ", &qps.to_string(), "\n"]);
    }
    text
}
