//! Ready means: the broker of this data directory answers a metadata request. An open port alone means nothing, and another
//! Kafka may have taken it meanwhile; the cluster id tells them apart.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer};

use crate::{KafkaError, KafkaOptions};

/// One attempt, blocking for at most about three times the given time.
pub fn check_ready(options: &KafkaOptions, timeout: Duration) -> Result<(), KafkaError> {
    let bootstrap = options.bootstrap();
    let unreachable = |problem: String| KafkaError::Unreachable { bootstrap: bootstrap.clone(), problem };

    // Without a listener a client would only log its attempts to connect.
    TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, options.port)), timeout)
        .map_err(|error| unreachable(error.to_string()))?;
    let client: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &bootstrap)
        .set("log.connection.close", "false")
        .set_log_level(RDKafkaLogLevel::Emerg)
        .create()
        .map_err(|error| unreachable(error.to_string()))?;
    let metadata = client.fetch_metadata(None, timeout).map_err(|error| unreachable(error.to_string()))?;
    if metadata.brokers().is_empty() {
        return Err(unreachable("the broker is not registered yet".to_owned()));
    }

    let expected = cluster_id(options)?;
    let found = client.client().fetch_cluster_id(timeout);
    if found == expected {
        return Ok(());
    }
    let found = found.unwrap_or_else(|| "none".to_owned());
    Err(unreachable(format!("another Kafka answers, its cluster id is {found}")))
}

fn cluster_id(options: &KafkaOptions) -> Result<Option<String>, KafkaError> {
    let path = options.log_dir().join("meta.properties");
    let text = fs::read_to_string(&path).map_err(KafkaError::file("read", &path))?;
    Ok(text.lines().find_map(|line| line.strip_prefix("cluster.id=")).map(str::to_owned))
}
