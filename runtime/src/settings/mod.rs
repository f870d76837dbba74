//! Settings: every default stands, explained, in `deploy/config/default.toml`; a file and the environment override it.
//!
//! [`load`] reads the layers and refuses unknown keys by name and line; [`origin`] tells where each value comes from.

mod load;
mod origin;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::secret::Secret;

pub use load::{DEFAULTS, Loaded, SettingsError, load};
pub use origin::{Origin, SettingLine, explain};

macro_rules! section {
    ($(#[$doc:meta])* $name:ident { $($field:ident : $kind:ty,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
        #[expect(missing_docs, reason = "every setting is explained in deploy/config/default.toml")]
        pub struct $name {
            $(pub $field: $kind,)*
        }
    };
}

section! {
    /// All settings.
    Settings {
        kafka: KafkaSettings,
        clickhouse: ClickHouseSettings,
        schemas: SchemaSettings,
        log: LogSettings,
        ingest: IngestSettings,
        processor: ProcessorSettings,
        sink: SinkSettings,
        local: LocalSettings,
        metrics: MetricSettings,
    }
}

section! {
    /// The way to Kafka, and how topics are made.
    KafkaSettings {
        brokers: String,
        topic_prefix: String,
        partitions: i32,
        replication: i32,
        raw_retention_days: u32,
        derived_retention_days: u32,
        session_timeout_ms: u32,
        security_protocol: String,
        sasl_mechanism: String,
        sasl_username: String,
        sasl_password: Secret,
        sasl_password_file: String,
        ssl_ca_file: String,
        ssl_certificate_file: String,
        ssl_key_file: String,
    }
}

section! {
    /// The way to ClickHouse, and how long it keeps what.
    ClickHouseSettings {
        url: String,
        database: String,
        user: String,
        password: Secret,
        password_file: String,
        ca_file: String,
        cluster: String,
        reader_role: String,
        events_retention_days: u32,
        text_retention_days: u32,
        table_retention_days: BTreeMap<String, u32>,
    }
}

section! {
    /// The schema registry, where there is one.
    SchemaSettings {
        registry_url: String,
    }
}

section! {
    /// Logs.
    LogSettings {
        level: String,
        format: String,
    }
}

section! {
    /// Ingest.
    IngestSettings {
        listen: String,
        admin: String,
        static_keys: Vec<String>,
        local_pages: bool,
        pseudonym_secret: Secret,
        pseudonym_secret_file: String,
        max_body_bytes: usize,
        max_events: usize,
        max_event_bytes: usize,
        max_json_depth: usize,
        max_header_bytes: usize,
        header_timeout_ms: u64,
        body_timeout_ms: u64,
        idle_timeout_ms: u64,
        max_connections: usize,
        ack_timeout_ms: u64,
        linger_ms: f64,
        hold_while_sending: bool,
        queue_bytes: usize,
        spool_dir: String,
        spool_bytes: u64,
        spool_segment_bytes: u64,
        spool_age_s: i64,
        spool_after_ms: u64,
        skew_tolerance_s: i64,
        future_tolerance_s: i64,
        agent_ids: bool,
        alias_file: String,
        key_events_per_s: u64,
        key_bytes_per_s: u64,
        browser_key_events_per_s: u64,
        browser_key_bytes_per_s: u64,
        key_burst_s: u64,
        auth_failures_per_min: u64,
        max_connections_per_address: usize,
        trusted_proxies: Vec<String>,
        proxy_header: String,
        honour_sec_gpc: bool,
        honour_dnt: bool,
    }
}

section! {
    /// Processor.
    ProcessorSettings {
        admin: String,
        group: String,
        instance_id: String,
        transaction_interval_ms: u64,
        transaction_records: usize,
        transaction_timeout_ms: u64,
        disorder_s: i64,
        idle_after_s: i64,
        lateness_days: i64,
        refresh_ms: i64,
        touchpoints_file: String,
        max_touchpoints: usize,
        max_channels: usize,
        max_devices: usize,
        max_names: usize,
        max_values: usize,
        max_series: usize,
    }
}

section! {
    /// Sink.
    SinkSettings {
        admin: String,
        group: String,
        instance_id: String,
        batch_rows: usize,
        batch_age_ms: u64,
        memory_bytes: usize,
        insert_timeout_s: u64,
    }
}

section! {
    /// What runs on one machine.
    LocalSettings {
        kafka_port: u16,
        kafka_heap_mb: u32,
        clickhouse_listen: String,
        clickhouse_admin: String,
        admin: String,
        clickhouse_library: String,
        kafka_jars: String,
        data_dir: String,
    }
}

section! {
    /// Constants of the metric definitions.
    MetricSettings {
        session_silence_min: i64,
        attempt_gap_days: i64,
        answer_gap_days: i64,
        slo_first_response_s: i64,
        reopen_gap_days: i64,
        human_reached_s: i64,
        duplicate_age_s: i64,
        duplicate_records: i64,
        steps: Vec<String>,
    }
}
