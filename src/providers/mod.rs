//! How one call to one vendor is made. The only folder that knows vendors.

pub mod alibaba;
pub mod tencent;
