//! Runs the embedded ClickHouse server for trials: `serve LIBRARY DATA_DIR PORT WRITER_PASSWORD [WRITER_USER]`.
//!
//! With the password empty and the user `default`, `default` may write, as the clients' own test suites expect it.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use touchstream_local_clickhouse::{Password, ServerOptions, serve};

#[expect(clippy::print_stdout, reason = "the caller waits for this line")]
fn say_ready(address: SocketAddr) {
    println!("ready {address}");
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (Some([library, data_dir, port, password]), 4..=5) = (arguments.first_chunk(), arguments.len())
    else {
        eprintln!("usage: serve LIBRARY DATA_DIR PORT WRITER_PASSWORD [WRITER_USER]");
        return ExitCode::from(2);
    };
    let Ok(port) = port.parse() else {
        eprintln!("not a port: {port}");
        return ExitCode::from(2);
    };
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut options =
        ServerOptions::new(library.into(), data_dir.into(), listen, Password::new(password.as_str()));
    if let Some(user) = arguments.get(4) {
        options.writer_user.clone_from(user);
    }
    let stop = async {
        if let Err(error) = tokio::signal::ctrl_c().await {
            eprintln!("failed to wait for Ctrl-C: {error}");
        }
    };
    match serve(options, say_ready, stop).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
