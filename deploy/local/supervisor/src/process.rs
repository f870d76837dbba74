//! One child process that cannot outlive this one: own process group, killed by the kernel when the parent dies, output kept.
//!
//! `PR_SET_PDEATHSIG` is tied to the *thread* that spawned the child, not to the process. So all children are spawned from one
//! thread that lives as long as the process does.

use std::ffi::OsString;
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, mpsc};
use std::time::{Duration, Instant};

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::{Pid, getppid};
use tokio::sync::watch;

use crate::log_file::LogFile;

/// What to run and where its output goes.
#[derive(Debug, Clone)]
pub struct ProcessSpec {
    /// The program: a path, or a name to be found on the `PATH`.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Variables set in addition to the inherited ones.
    pub environment: Vec<(OsString, OsString)>,
    /// Where standard output and standard error go, bounded in size.
    pub log_file: PathBuf,
}

/// A running child. Dropping it kills the child and everything in its process group.
#[derive(Debug)]
pub struct OwnedProcess {
    pid: u32,
    shared: Arc<Shared>,
    exit: watch::Receiver<Option<ExitStatus>>,
}

#[derive(Debug)]
struct Shared {
    /// Empty once the child is reaped: from then on its pid may belong to someone else and is never signalled.
    child: Mutex<Option<Child>>,
    status: Mutex<Option<ExitStatus>>,
    ended: Condvar,
    log: Mutex<LogFile>,
}

impl OwnedProcess {
    /// Starts the child.
    pub fn spawn(spec: &ProcessSpec) -> io::Result<Self> {
        let log = LogFile::open(&spec.log_file)?;
        let (reader, writer) = io::pipe()?;
        let mut command = Command::new(&spec.program);
        command
            .args(&spec.arguments)
            .envs(spec.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer);
        let child = spawn_tied_to_this_process(command)?;

        let pid = child.id();
        let shared = Arc::new(Shared {
            child: Mutex::new(Some(child)),
            status: Mutex::new(None),
            ended: Condvar::new(),
            log: Mutex::new(log),
        });
        let (sender, exit) = watch::channel(None);
        let logged = Arc::clone(&shared);
        let copier = std::thread::Builder::new()
            .name(format!("log-{pid}"))
            .spawn(move || copy_output(reader, &logged.log))?;
        let reaped = Arc::clone(&shared);
        std::thread::Builder::new().name(format!("wait-{pid}")).spawn(move || {
            let status = reaped.reap(pid);
            // The last words belong to the failure message. A grandchild may hold the pipe open, so do not insist.
            let patience = Instant::now() + Duration::from_millis(200);
            while !copier.is_finished() && Instant::now() < patience {
                std::thread::sleep(Duration::from_millis(5));
            }
            *locked(&reaped.status) = Some(status);
            reaped.ended.notify_all();
            sender.send_replace(Some(status));
        })?;
        Ok(Self { pid, shared, exit })
    }

    /// The child's process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Sends a signal to the child's whole process group; does nothing once the child has ended.
    pub fn signal(&self, signal: Signal) {
        let child = locked(&self.shared.child);
        if child.is_some() {
            // Only "no such process" is possible here, and that is the state wanted.
            let _ = killpg(as_pid(self.pid), signal);
        }
    }

    /// How the child ended, if it has.
    #[must_use]
    pub fn status(&self) -> Option<ExitStatus> {
        *locked(&self.shared.status)
    }

    /// Blocks until the child has ended or the time is over.
    #[must_use]
    pub fn wait_timeout(&self, timeout: Duration) -> Option<ExitStatus> {
        let status = locked(&self.shared.status);
        let (status, _) = self
            .shared
            .ended
            .wait_timeout_while(status, timeout, |status| status.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        *status
    }

    /// Resolves when the child has ended.
    pub async fn exited(&self) -> ExitStatus {
        let mut exit = self.exit.clone();
        let status = exit.wait_for(Option::is_some).await.map_or(None, |status| *status);
        match status {
            Some(status) => status,
            // The waiting thread sends before it ends; without it nothing is known, and pending is the honest answer.
            None => std::future::pending().await,
        }
    }

    /// Asks the child to end, and kills it when the grace period is over. Blocks.
    pub fn stop(&self, grace: Duration) -> Option<ExitStatus> {
        self.signal(Signal::SIGTERM);
        if let Some(status) = self.wait_timeout(grace) {
            return Some(status);
        }
        self.signal(Signal::SIGKILL);
        // A process in uninterruptible sleep cannot be waited for with certainty.
        self.wait_timeout(Duration::from_secs(5))
    }

    /// The last lines of the child's output, at most `count`.
    #[must_use]
    pub fn last_lines(&self, count: usize) -> Vec<String> {
        locked(&self.shared.log).last_lines(count)
    }
}

impl Drop for OwnedProcess {
    fn drop(&mut self) {
        self.signal(Signal::SIGKILL);
    }
}

impl Shared {
    /// Waits without reaping first: while the zombie stands its pid cannot be given to another process.
    fn reap(&self, pid: u32) -> ExitStatus {
        loop {
            let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
            match waitid(Id::Pid(as_pid(pid)), flags) {
                Err(nix::errno::Errno::EINTR) => {}
                _ => break,
            }
        }
        let mut slot = locked(&self.child);
        // What the child started and left behind in its group goes with it.
        let _ = killpg(as_pid(pid), Signal::SIGKILL);
        let mut child = slot.take().expect("only this thread takes the child, once");
        child
            .wait()
            .expect("waiting for one's own child fails only if it was reaped, and only this thread does that")
    }
}

fn copy_output(mut reader: io::PipeReader, log: &Mutex<LogFile>) {
    let mut buffer = [0; 8 * 1024];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return,
            // Kept reading even when the disk is full: a child must never block on its own log.
            Ok(length) => drop(locked(log).write(&buffer[..length])),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

type Request = (Command, mpsc::SyncSender<io::Result<Child>>);

fn spawn_tied_to_this_process(mut command: Command) -> io::Result<Child> {
    static SPAWNER: OnceLock<mpsc::SyncSender<Request>> = OnceLock::new();

    let parent = Pid::this();
    command.process_group(0);
    let tie = move || {
        set_pdeathsig(Signal::SIGKILL).map_err(io::Error::from)?;
        // The parent may have died before the line above; then nobody would ever send the signal.
        if getppid() == parent { Ok(()) } else { Err(io::Error::from_raw_os_error(nix::libc::ESRCH)) }
    };
    #[expect(
        unsafe_code,
        reason = "runs between fork and exec; it makes two system calls and allocates nothing"
    )]
    // SAFETY: the closure is async-signal-safe: prctl, getppid and plain values only.
    unsafe {
        command.pre_exec(tie);
    }

    let spawner = SPAWNER.get_or_init(|| {
        let (sender, requests) = mpsc::sync_channel::<Request>(1);
        std::thread::Builder::new()
            .name("spawn-children".to_owned())
            .spawn(move || {
                for (mut command, reply) in requests {
                    // Nobody waiting for the answer means that the child is dropped, which does not concern this thread.
                    drop(reply.send(command.spawn()));
                }
            })
            .expect("a process that cannot have one more thread cannot run services either");
        sender
    });
    let (reply, answer) = mpsc::sync_channel(1);
    spawner.send((command, reply)).map_err(|_| io::Error::other("the spawning thread is gone"))?;
    answer.recv().map_err(|_| io::Error::other("the spawning thread is gone"))?
}

fn as_pid(pid: u32) -> Pid {
    Pid::from_raw(i32::try_from(pid).expect("the kernel's process ids fit"))
}

/// Nothing that holds these locks can leave them half changed, so a panic elsewhere does not spoil the value.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
