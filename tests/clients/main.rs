//! Real clients, that nobody here wrote: of the embedded ClickHouse server, which behaves like ClickHouse, and of ingest.
//!
//! Each test runs a server process of its own on a free port with a directory of its own. What a client needs (a Python
//! environment, npm packages) is installed once, pinned, below `target/tmp`.

mod analyst;
mod crate_clickhouse;
mod curl;
mod endure;
mod golang;
mod hostile;
mod ingest_server;
mod install;
mod jdbc;
mod node;
mod openapi;
mod python;
mod senders;
mod server;
