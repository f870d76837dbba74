//! What everybody knows of every service: each service's own task writes its state, the others wait for it or read it.

use serde::Serialize;
use tokio::sync::watch;

use crate::SupervisorError;
use crate::child_spec::ChildSpec;

/// Where a service stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Phase {
    /// Its dependencies are not ready yet.
    Waiting,
    /// Its process is coming up.
    Starting,
    /// It works.
    Ready,
    /// Its process runs, but it says that it cannot work now.
    NotReady,
    /// It ended and will be started again.
    Restarting,
    /// It was asked to end.
    Stopping,
    /// It ended because it was asked to.
    Stopped,
    /// A task that is done.
    Completed,
    /// It could not be brought up.
    Failed,
}

/// One service's state, as `/readyz` shows it.
#[derive(Debug, Clone, Serialize)]
pub struct ServiceState {
    /// The service's name.
    pub name: String,
    /// Where it stands.
    pub phase: Phase,
    /// Its process, if one runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// How often it was started again.
    pub restarts: u64,
    /// How it ended last, if it ever did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_end: Option<String>,
    /// Why it could not be brought up.
    #[serde(skip)]
    pub(crate) failure: Option<String>,
}

impl ServiceState {
    /// Whether those who depend on it can work.
    #[must_use]
    pub fn is_up(&self) -> bool {
        matches!(self.phase, Phase::Ready | Phase::Completed)
    }

    pub(crate) fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Stopped | Phase::Completed | Phase::Failed)
    }
}

#[derive(Debug)]
pub(crate) struct Board {
    /// Whom each service needs, directly or through others.
    dependencies: Vec<Vec<usize>>,
    states: Vec<watch::Sender<ServiceState>>,
}

impl Board {
    /// Refuses double names and dependencies that do not stand earlier, so that nothing can wait in a circle.
    pub(crate) fn new(specs: &[ChildSpec]) -> Result<Self, SupervisorError> {
        let mut dependencies: Vec<Vec<usize>> = Vec::with_capacity(specs.len());
        for (index, spec) in specs.iter().enumerate() {
            let earlier = &specs[..index];
            let find = |name: &str| earlier.iter().position(|other| other.name == name);
            if find(&spec.name).is_some() {
                return Err(SupervisorError::Plan(format!("two services are called {}", spec.name)));
            }
            let needed = spec.depends_on.iter().map(|name| {
                find(name).ok_or_else(|| {
                    SupervisorError::Plan(format!(
                        "{} depends on {name}, which does not stand before it",
                        spec.name
                    ))
                })
            });
            let mut needed: Vec<usize> = needed.collect::<Result<_, _>>()?;
            // Who needs a task needs what the task needs, also when the task is long done: it must not be stopped earlier.
            let behind: Vec<usize> =
                needed.iter().flat_map(|&other: &usize| dependencies[other].clone()).collect();
            needed.extend(behind);
            needed.sort_unstable();
            needed.dedup();
            dependencies.push(needed);
        }
        let states = specs.iter().map(|spec| watch::Sender::new(ServiceState::new(&spec.name))).collect();
        Ok(Self { dependencies, states })
    }

    pub(crate) fn snapshot(&self) -> Vec<ServiceState> {
        self.states.iter().map(|state| state.borrow().clone()).collect()
    }

    pub(crate) fn update(&self, index: usize, change: impl FnOnce(&mut ServiceState)) {
        self.states[index].send_modify(change);
    }

    /// Resolves when every dependency is up.
    pub(crate) async fn dependencies_up(&self, index: usize) {
        for &dependency in &self.dependencies[index] {
            self.wait(dependency, ServiceState::is_up).await;
        }
    }

    /// Resolves when everyone who needs this service has ended.
    pub(crate) async fn dependents_over(&self, index: usize) {
        for (dependent, needed) in self.dependencies.iter().enumerate() {
            if needed.contains(&index) {
                self.wait(dependent, ServiceState::is_over).await;
            }
        }
    }

    /// Resolves when every service is up, or when one cannot be brought up. Whoever waits for a failed one stands after it
    /// in the list, so going through it in order never waits in vain.
    pub(crate) async fn all_up(&self) -> Result<(), SupervisorError> {
        for index in 0..self.states.len() {
            let state = self.wait(index, |state| state.is_up() || state.is_over()).await;
            if let Some(reason) = state.failure {
                return Err(SupervisorError::StartFailed { service: state.name, reason });
            }
            if !state.is_up() {
                return Err(SupervisorError::Interrupted);
            }
        }
        Ok(())
    }

    async fn wait(&self, index: usize, condition: impl FnMut(&ServiceState) -> bool) -> ServiceState {
        let mut state = self.states[index].subscribe();
        let reached = state.wait_for(condition).await;
        reached.expect("the board outlives everyone who waits on it").clone()
    }
}

impl ServiceState {
    fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            phase: Phase::Waiting,
            pid: None,
            restarts: 0,
            last_end: None,
            failure: None,
        }
    }
}
