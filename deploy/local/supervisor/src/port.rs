//! Who listens on a port: asked before a service is started, so that a taken port is reported with a name and a pid.
//!
//! Nothing found here is ever killed. Linux only (`/proc`); elsewhere, and for other users' processes, the name stays unknown.

use std::fmt;
use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

/// A port that a service needs is not free.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// Another process listens there.
    #[error("failed to use port {} for {purpose}: it is taken by {holder}; stop it or configure another port", address.port())]
    Taken {
        /// The address that was asked for.
        address: SocketAddr,
        /// The service that wanted it.
        purpose: String,
        /// Who has it.
        holder: Holder,
    },
    /// The system refused the address for another reason.
    #[error("failed to listen on {address} for {purpose}")]
    Refused {
        /// The address that was asked for.
        address: SocketAddr,
        /// The service that wanted it.
        purpose: String,
        /// The system's answer.
        source: io::Error,
    },
}

/// The process that listens on a port, as far as this user may know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its process id and command line, unknown for processes of other users.
    pub process: Option<(u32, String)>,
}

impl fmt::Display for Holder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.process {
            Some((pid, command)) => write!(formatter, "pid {pid} ({command})"),
            None => write!(formatter, "a process that this user cannot see"),
        }
    }
}

/// How long the end of a holder that is ending is waited for. A process that was killed a moment ago gives up its memory first, and with it
/// its command line, then its open files, then its sockets, which takes some milliseconds, more on a busy machine: no reason to refuse a start.
const DYING: Duration = Duration::from_secs(5);

/// Succeeds if a service could listen on the address now. Blocks for some seconds where a holder is ending or cannot be seen.
pub fn check_port_is_free(address: SocketAddr, purpose: &str) -> Result<(), PortError> {
    let begun = Instant::now();
    loop {
        match TcpListener::bind(address) {
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            Err(source) => return Err(PortError::Refused { address, purpose: purpose.to_owned(), source }),
        }
        let holder = holder_of_port(address.port());
        let is_ending = holder.process.as_ref().is_none_or(|(pid, _)| command_line(*pid).is_empty());
        if !is_ending || begun.elapsed() > DYING {
            return Err(PortError::Taken { address, purpose: purpose.to_owned(), holder });
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The process that listens on the port, on any address.
#[must_use]
pub fn holder_of_port(port: u16) -> Holder {
    let inodes: Vec<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .flat_map(|table| listening_inodes(&table, port))
        .collect();
    let process = process_ids().find(|&pid| holds_socket(pid, &inodes)).map(|pid| (pid, describe(pid)));
    Holder { process }
}

/// The inodes of listening sockets: local address in the second column, state in the fourth (0A), inode in the tenth.
fn listening_inodes(table: &str, port: u16) -> Vec<String> {
    let suffix = format!(":{port:04X}");
    table
        .lines()
        .skip(1)
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|columns| columns.len() > 9 && columns[1].ends_with(&suffix) && columns[3] == "0A")
        .map(|columns| columns[9].to_owned())
        .collect()
}

fn process_ids() -> impl Iterator<Item = u32> {
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn holds_socket(pid: u32, inodes: &[String]) -> bool {
    fs::read_dir(format!("/proc/{pid}/fd"))
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| fs::read_link(entry.path()).ok())
        .filter_map(|target| Some(target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .any(|inode| inodes.contains(&inode))
}

fn command_line(pid: u32) -> Vec<u8> {
    fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default()
}

/// The name and the start of the command line; the rest may be long (a class path) or hold secrets.
pub(crate) fn describe(pid: u32) -> String {
    const SHOWN: usize = 60;
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    let command = String::from_utf8_lossy(&command_line(pid)).replace('\0', " ");
    let start: String = command.trim().chars().take(SHOWN).collect();
    let dots = if command.trim().chars().count() > SHOWN { "…" } else { "" };
    format!("{}: {start}{dots}", name.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_listener_is_named() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
        let address = listener.local_addr().expect("address");
        let error = check_port_is_free(address, "Kafka").expect_err("the port is taken").to_string();
        assert!(error.contains(&format!("port {}", address.port())), "{error}");
        assert!(error.contains(&format!("pid {}", std::process::id())), "{error}");
        drop(listener);
        check_port_is_free(address, "Kafka").expect("the port is free again");
    }
}
