//! The processor as real processes under real trouble: instances killed, stopped beyond their session and woken again, started and
//! stopped in turn, Kafka killed and restarted, while events keep coming.
//!
//! Judged at the end: a reader of committed records and the oracle agree about every window and every fact, each key's revisions
//! only ever grew, and no transaction is open. A run counts only when its faults were felt.

pub(crate) mod cluster;
mod committed;
mod input;
mod poison;
mod transactions;
mod young_topic;

use std::time::{Duration, Instant};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use cluster::Cluster;
use committed::Committed;
use input::Input;

use crate::harness::oracle::HOUR;
use crate::harness::wait::until;

/// How long everything may take to be counted after the last fault.
const SETTLED_WITHIN: Duration = Duration::from_secs(150);

/// What happens to the processes.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// `kill -9` and a new start.
    Kill,
    /// SIGSTOP until the groups have given the partitions to others, then SIGCONT.
    Zombie,
    /// Kafka is killed and started again.
    KafkaKilled,
    /// Kafka ends in order and is started again.
    KafkaRestarted,
    /// A further instance comes and goes several times.
    Storm,
}

#[test]
fn two_instances_under_faults_equal_the_recomputation() {
    let mut trial = Trial::start(&["one", ""], 8_000, Duration::from_secs(25));
    for fault in [Fault::Kill, Fault::Zombie, Fault::KafkaKilled, Fault::Storm] {
        trial.inflict(fault);
    }
    trial.judge();
}

#[test]
#[ignore = "takes minutes: make chaos-processor"]
fn three_instances_under_many_faults_equal_the_recomputation() {
    let seconds = number_from("CHAOS_SECONDS", 600);
    let mut trial = Trial::start(&["one", "two", ""], 1_000 * seconds, Duration::from_secs(seconds));
    while trial.begun.elapsed() < Duration::from_secs(seconds) {
        let fault = match trial.random.random_range(0..10) {
            0..=3 => Fault::Kill,
            4..=5 => Fault::Zombie,
            6 => Fault::KafkaKilled,
            7 => Fault::KafkaRestarted,
            _ => Fault::Storm,
        };
        trial.inflict(fault);
        let pause = trial.random.random_range(200..4_000);
        std::thread::sleep(Duration::from_millis(pause));
    }
    trial.judge();
}

/// A cluster, what is sent to it, and what was done to it.
struct Trial {
    cluster: Cluster,
    input: Input,
    random: ChaCha8Rng,
    begun: Instant,
    zombies: usize,
    faults: Vec<Fault>,
}

impl Trial {
    /// One instance for each id (dynamic where it is empty), and events that take `during` to be sent.
    fn start(instances: &[&str], events_a_day: u64, during: Duration) -> Trial {
        let seed = number_from("SEED", rand::rng().random());
        eprintln!("SEED={seed}");
        let cluster = Cluster::start(instances);
        let input = Input::start(cluster.ingest(), events_a_day, during, seed);
        let random = ChaCha8Rng::seed_from_u64(seed);
        Trial { cluster, input, random, begun: Instant::now(), zombies: 0, faults: Vec::new() }
    }

    fn say(&self, what: &str) {
        eprintln!(
            "{:6.1} s, {:3} % sent: {what}",
            self.begun.elapsed().as_secs_f64(),
            self.input.percent_sent()
        );
    }

    fn inflict(&mut self, fault: Fault) {
        let count = self.cluster.instances.len();
        let victim = self.random.random_range(0..count);
        self.say(&format!("{fault:?}, instance {victim}"));
        match fault {
            Fault::Kill => self.cluster.kill_and_restart(victim),
            Fault::Zombie => self.zombie(victim),
            Fault::KafkaKilled => self.cluster.kafka.kill_and_restart(),
            Fault::KafkaRestarted => self.cluster.kafka.stop_and_restart(),
            Fault::Storm => self.storm(),
        }
        self.cluster.wait_ready();
        self.faults.push(fault);
        self.say("all instances are ready again");
    }

    /// It must be shut out while it sleeps, and be a member again when it wakes up.
    fn zombie(&mut self, victim: usize) {
        let of_victim = self.cluster.instances[victim].stop_cold();
        let named = |cluster: &Cluster| {
            cluster.members().map(|all| all.iter().filter(|member| member.ends_with(&of_victim)).count())
        };
        until("the groups shut out an instance that sleeps", Duration::from_secs(60), || {
            match named(&self.cluster)? {
                0 => Ok(()),
                members => Err(format!("it is still {members} members")),
            }
        });
        self.say("shut out");
        // The others work on, for as long as they like.
        std::thread::sleep(Duration::from_millis(self.random.random_range(0..3_000)));
        self.cluster.instances[victim].wake();
        until("an instance that woke up is back in all groups", Duration::from_secs(90), || {
            match named(&self.cluster)? {
                3 => Ok(()),
                members => Err(format!("it is {members} members of 3 groups")),
            }
        });
        self.zombies += 1;
    }

    fn storm(&mut self) {
        for round in 0..4 {
            let instance = self.cluster.add("");
            // Into the middle of the rebalance, of a restore, of the first transactions: whatever comes.
            std::thread::sleep(Duration::from_millis(self.random.random_range(200..3_000)));
            self.cluster.remove(instance, round % 2 == 0);
        }
    }

    /// Everything is counted, once, and nothing is left open.
    fn judge(mut self) {
        self.input.wait_sent();
        self.say("everything is sent");
        let begun = Instant::now();
        let (events, end) = (self.input.events(), self.input.end());
        let mut committed = Committed::new(&self.cluster.kafka.bootstrap());
        until("every window of the day is final", SETTLED_WITHIN, || {
            self.cluster.assert_running();
            committed.read()?;
            match committed.results().not_final(end + HOUR) {
                0 if committed.is_empty() => Err("nothing came out".to_owned()),
                0 => Ok(()),
                open => Err(format!("{open} windows are not final")),
            }
        });
        let (compared, _) = until("the results equal the oracle's", Duration::from_secs(60), || {
            self.cluster.assert_running();
            committed.read()?;
            committed.results().compare(events, end + HOUR)
        });
        let settled = begun.elapsed().as_secs_f64();
        assert!(compared > 5_000, "only {compared} rows were compared");
        let failed = self.cluster.sessions_failed();
        self.cluster.stop_instances();
        let (open, _) = until("no transaction is open", Duration::from_secs(90), || {
            transactions::none_open(&self.cluster.kafka)
        });
        let kinds = |wanted: &str| self.faults.iter().filter(|fault| format!("{fault:?}") == wanted).count();
        eprintln!(
            "{} events; {} kill -9, {} sleepers shut out, {} kill -9 and {} restarts of Kafka, {} storms of 4; {failed} sessions \
             ended early in the last lives; {compared} windows and facts equal the oracle's {settled:.0} s after the last event; {} \
             revisions read, none went back; {open}",
            events.len(),
            kinds("Kill"),
            self.zombies,
            kinds("KafkaKilled"),
            kinds("KafkaRestarted"),
            kinds("Storm"),
            committed.records_read(),
        );
    }
}

fn number_from(variable: &str, otherwise: u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) => text.parse().unwrap_or_else(|error| panic!("{variable}={text:?}: {error}")),
        Err(_) => otherwise,
    }
}
