//! What the tests stand on: the real parts as processes of their own, and an oracle that knows what must come out.

pub(crate) mod clickhouse;
pub(crate) mod guarded_kafka;
pub(crate) mod machine;
pub(crate) mod oracle;
pub(crate) mod service;
pub(crate) mod tls;
pub(crate) mod wait;
