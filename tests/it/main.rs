//! The behaviour of the whole service against both vendors' simulators.
//!
//! Every test is a claim about what a caller sees and what a vendor was sent: a
//! real listener, a real journal file, simulators that verify each signature.
//! One binary, so that it links once; files by behaviour. `harness` has the
//! world that a test lives in and the checker that looks at it afterwards.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed, and the place tells why")]
#![expect(clippy::print_stdout, reason = "figures that a test measured are said")]
#![expect(clippy::disallowed_methods, reason = "callers that come side by side are tasks of their own")]

mod harness;

mod alibaba_kinds;

mod tencent_kinds;

mod mixed;

mod batching;

mod partial;

mod plain_calls;

mod unclear;

mod throttling;

mod faults;

mod late_repeats;

mod blocked;

mod restarts;

mod keys;

mod matrix;

mod quota;

mod fairness;

mod uploads;

mod verbs;
