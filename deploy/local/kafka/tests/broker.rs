//! A real Kafka: keeps what it acknowledged through clean ends and `kill -9`, leaves nothing behind, and names who is in its way.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};
use touchstream_local_kafka::{KafkaError, KafkaOptions, child_spec, start};
use touchstream_local_parts::Progress;
use touchstream_local_supervisor::{DataDirLock, Phase, Supervisor, SupervisorOptions};

const TOPIC: &str = "trial";
const PATIENCE: Duration = Duration::from_secs(60);
const SERVE_FROM: &str = "TOUCHSTREAM_TEST_SERVE_FROM";
const SERVE_ON: &str = "TOUCHSTREAM_TEST_SERVE_ON";

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port()
}

fn options(data_dir: &Path, port: u16) -> KafkaOptions {
    let parts = touchstream_local_parts::kafka(&Progress::silent()).expect("Kafka is fetched");
    KafkaOptions::new(parts.jars, data_dir, port)
}

fn client(port: u16) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", format!("127.0.0.1:{port}"));
    config
}

async fn create_topic(port: u16) {
    let admin: AdminClient<DefaultClientContext> = client(port).create().expect("admin client");
    let topic = NewTopic::new(TOPIC, 1, TopicReplication::Fixed(1));
    let results = admin.create_topics(&[topic], &AdminOptions::new()).await.expect("answer");
    results.into_iter().next().expect("one result").expect("created");
}

/// Returns when all in-sync replicas have it, in a transaction, since those are what the services use.
fn produce(port: u16, payload: &str) {
    let producer: BaseProducer =
        client(port).set("transactional.id", "trial").set("acks", "all").create().expect("producer");
    producer.init_transactions(PATIENCE).expect("init");
    producer.begin_transaction().expect("begin");
    producer
        .send(BaseRecord::<(), str>::to(TOPIC).payload(payload))
        .map_err(|(error, _)| error)
        .expect("send");
    producer.commit_transaction(PATIENCE).expect("commit");
}

fn read_all(port: u16, count: usize) -> Vec<String> {
    let consumer: BaseConsumer = client(port)
        .set("group.id", "trial")
        .set("isolation.level", "read_committed")
        .create()
        .expect("consumer");
    let mut positions = TopicPartitionList::new();
    positions.add_partition_offset(TOPIC, 0, Offset::Beginning).expect("offset");
    consumer.assign(&positions).expect("assign");
    let begun = Instant::now();
    let mut payloads = Vec::new();
    while payloads.len() < count && begun.elapsed() < PATIENCE {
        // Errors are transient here: a broker that just came back.
        if let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) {
            payloads.push(String::from_utf8(message.payload().expect("payload").to_vec()).expect("text"));
        }
    }
    payloads
}

fn is_running(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/status")).is_ok_and(|status| !status.contains("State:\tZ"))
}

#[tokio::test(flavor = "multi_thread")]
async fn data_survives_a_clean_end_and_a_foreign_listener_is_named() {
    let directory = tempfile::tempdir().expect("temporary directory");
    let port = free_port();
    let kafka = start(options(directory.path(), port)).expect("start");
    kafka.wait_ready(PATIENCE).expect("ready");
    create_topic(port).await;
    produce(port, "first");

    let error = start(options(&directory.path().join("other"), port)).expect_err("the port is taken");
    assert!(matches!(error, KafkaError::Port(_)), "{error}");
    let holder = format!("pid {} (java", kafka.process().pid());
    assert!(error.to_string().contains(&holder), "{error} does not name {holder}");

    let begun = Instant::now();
    let status = kafka.stop(PATIENCE).expect("it ends");
    assert_eq!(status.code(), Some(143), "Java's answer to SIGTERM after a clean end; {:?}", begun.elapsed());

    let kafka = start(options(directory.path(), port)).expect("start again");
    kafka.wait_ready(PATIENCE).expect("ready again");
    assert_eq!(read_all(port, 1), ["first"]);
}

/// Not a test by itself: the process that the next test kills.
#[test]
fn serve_until_killed() {
    let (Some(data_dir), Ok(port)) = (std::env::var_os(SERVE_FROM), std::env::var(SERVE_ON)) else {
        return;
    };
    let options = options(&PathBuf::from(data_dir), port.parse().expect("a port"));
    // From a thread that ends at once: the kernel's signal on the parent's death must not be tied to it.
    let kafka = std::thread::spawn(|| start(options)).join().expect("no panic").expect("start");
    kafka.wait_ready(PATIENCE).expect("ready");
    writeln!(std::io::stdout(), "\nready {}", kafka.process().pid()).expect("write");
    // Ends with the test that holds the other end of the pipe, whatever becomes of it.
    std::io::stdin().read_to_end(&mut Vec::new()).expect("read");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_parent_leaves_no_orphan_and_the_next_start_works_at_once() {
    let directory = tempfile::tempdir().expect("temporary directory");
    let port = free_port();
    let mut parent = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "serve_until_killed", "--nocapture"])
        .env(SERVE_FROM, directory.path())
        .env(SERVE_ON, port.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("spawn");
    let output = BufReader::new(parent.stdout.take().expect("piped"));
    let ready =
        output.lines().map_while(Result::ok).find_map(|line| line.strip_prefix("ready ")?.parse().ok());
    let broker: u32 = ready.expect("the broker became ready");
    assert!(is_running(broker));
    create_topic(port).await;
    produce(port, "before");

    parent.kill().expect("kill -9");
    parent.wait().expect("wait");
    let begun = Instant::now();
    while is_running(broker) {
        assert!(begun.elapsed() < Duration::from_secs(5), "the broker {broker} outlives its parent");
        std::thread::sleep(Duration::from_millis(5));
    }

    let begun = Instant::now();
    let kafka = start(options(directory.path(), port)).expect("start again");
    kafka.wait_ready(PATIENCE).expect("ready again");
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(15), "{took:?} until ready after kill -9");
    produce(port, "after");
    assert_eq!(read_all(port, 2), ["before", "after"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn under_the_supervisor_a_killed_broker_comes_back_with_its_data() {
    let directory = tempfile::tempdir().expect("temporary directory");
    let port = free_port();
    let supervisor_options = SupervisorOptions {
        lock: DataDirLock::acquire(directory.path()).expect("lock"),
        admin_address: SocketAddr::from(([127, 0, 0, 1], 0)),
        progress: Progress::silent(),
    };
    let plan = vec![child_spec(options(&directory.path().join("kafka"), port))];
    let supervisor = Supervisor::start(supervisor_options, plan).await.expect("start");
    tokio::time::timeout(PATIENCE, supervisor.ready()).await.expect("in time").expect("ready");
    create_topic(port).await;
    produce(port, "before");

    let pid = supervisor.services()[0].pid.expect("it runs");
    kill(Pid::from_raw(pid.cast_signed()), Signal::SIGKILL).expect("kill -9");
    let begun = Instant::now();
    loop {
        let kafka = &supervisor.services()[0];
        if kafka.restarts == 1 && kafka.phase == Phase::Ready {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "{kafka:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    produce(port, "after");
    assert_eq!(read_all(port, 2), ["before", "after"]);
    tokio::time::timeout(PATIENCE, supervisor.stop()).await.expect("it stops in time");
}
