//! Real clients, that nobody here wrote, talk to the embedded ClickHouse server, and it behaves like ClickHouse.
//!
//! Each test runs a server process of its own on a free port with a directory of its own. What a client needs (a Python
//! environment, npm packages) is installed once, pinned, below `target/tmp`.

mod crate_clickhouse;
mod curl;
mod endure;
mod hostile;
mod install;
mod node;
mod python;
mod server;
