//! What `up` runs, in which order, and what each service is told. Kafka and ClickHouse configured elsewhere are left out.

use std::path::{Path, PathBuf};

use anyhow::Context;
use touchstream_local_kafka::KafkaOptions;
use touchstream_local_parts::Progress;
use touchstream_local_supervisor::{ChildSpec, Readiness};
use touchstream_runtime::settings::{Loaded, Origin, Settings, explain};
use touchstream_schemas::time::{EventTime, Millis};

use super::secrets;

/// Events a day of the demo's history: enough for every chart, little enough to be loaded in a minute or two.
const DEMO_EVENTS_PER_DAY: &str = "6000";
/// Live events a second of the demo.
const DEMO_RATE: &str = "3";
const DEMO_DAYS: i64 = 14;
/// Owners of the demo's touchpoints: without them no rule watches anything.
const DEMO_TOUCHPOINTS: &str = include_str!("../../deploy/config/demo-touchpoints.toml");
/// Yesterday on phones most payments failed, for half a day.
const DEMO_REGRESSION: &str = "payment-errors@+12d18h/12h";

/// Everything that `up` decides before it starts anything.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    settings: Settings,
    program: PathBuf,
    config: Option<PathBuf>,
    data_dir: PathBuf,
    /// What services are told beyond the configuration, as environment variables.
    overrides: Vec<(&'static str, String)>,
    is_kafka_local: bool,
    is_clickhouse_local: bool,
    /// Somebody whom the console can read ClickHouse as is known.
    has_console: bool,
    is_demo: bool,
}

impl Plan {
    /// Plans from the settings in force; a broker or ClickHouse address that somebody set is used instead of a local one.
    pub(super) fn new(
        loaded: &Loaded,
        config: Option<&Path>,
        data_dir: &Path,
        is_demo: bool,
    ) -> anyhow::Result<Plan> {
        let data_dir = std::path::absolute(data_dir)?;
        let settings = loaded.settings.clone();
        let lines = explain(loaded);
        let is_default =
            |key: &str| lines.iter().any(|line| line.key == key && line.origin == Origin::Default);
        let is_kafka_local = is_default("kafka.brokers");
        let is_clickhouse_local = is_default("clickhouse.url");

        let is_reader_told = ["console.user", "console.password", "console.password_file"]
            .into_iter()
            .any(|key| !is_default(key));

        let mut overrides = vec![("TOUCHSTREAM__LOCAL__DATA_DIR", data_dir.display().to_string())];
        if is_kafka_local {
            overrides
                .push(("TOUCHSTREAM__KAFKA__BROKERS", format!("127.0.0.1:{}", settings.local.kafka_port)));
            // Nobody else is on this Kafka. On a shared one the same names on two machines would shut each other out.
            for (key, variable) in [
                ("processor.instance_id", "TOUCHSTREAM__PROCESSOR__INSTANCE_ID"),
                ("sink.instance_id", "TOUCHSTREAM__SINK__INSTANCE_ID"),
            ] {
                if is_default(key) {
                    overrides.push((variable, "local".to_owned()));
                }
            }
        }
        if is_clickhouse_local {
            let password = secrets::file(&data_dir, "clickhouse-writer-password")?;
            overrides.push((
                "TOUCHSTREAM__CLICKHOUSE__URL",
                format!("http://{}", settings.local.clickhouse_listen),
            ));
            overrides.push(("TOUCHSTREAM__CLICKHOUSE__PASSWORD_FILE", password.display().to_string()));
            if !is_reader_told {
                // The embedded engine's reader, whose password everybody knows.
                overrides.push(("TOUCHSTREAM__CONSOLE__PASSWORD", "reader".to_owned()));
            }
        }
        if is_default("ingest.pseudonym_secret") && is_default("ingest.pseudonym_secret_file") {
            let secret = secrets::file(&data_dir, "pseudonym-secret")?;
            overrides.push(("TOUCHSTREAM__INGEST__PSEUDONYM_SECRET_FILE", secret.display().to_string()));
        }
        if is_default("ingest.spool_dir") {
            let spool = data_dir.join("ingest-spool").display().to_string();
            overrides.push(("TOUCHSTREAM__INGEST__SPOOL_DIR", spool));
        }
        if is_default("ingest.static_keys") {
            let keys = if is_demo { "shop:shop:web,demo:demo:web" } else { "shop:shop:web" };
            overrides.push(("TOUCHSTREAM__INGEST__STATIC_KEYS", keys.to_owned()));
            if is_default("ingest.local_pages") {
                overrides.push(("TOUCHSTREAM__INGEST__LOCAL_PAGES", "true".to_owned()));
            }
        }
        if is_demo && is_default("processor.lateness_days") {
            // Two weeks of history come late and must count all the same.
            overrides.push(("TOUCHSTREAM__PROCESSOR__LATENESS_DAYS", "15".to_owned()));
        }
        if is_demo && is_default("processor.touchpoints_file") {
            let file = data_dir.join("demo-touchpoints.toml");
            std::fs::write(&file, DEMO_TOUCHPOINTS)
                .with_context(|| format!("failed to write {}", file.display()))?;
            overrides.push(("TOUCHSTREAM__PROCESSOR__TOUCHPOINTS_FILE", file.display().to_string()));
        }
        let program = std::env::current_exe().context("failed to find this program's own file")?;
        let config = config.map(Path::to_path_buf);
        Ok(Plan {
            settings,
            program,
            config,
            data_dir,
            overrides,
            is_kafka_local,
            is_clickhouse_local,
            has_console: is_clickhouse_local || is_reader_told,
            is_demo,
        })
    }

    /// Fetches the parts and lists the services in the order of their start.
    pub(super) fn services(&self, progress: &Progress) -> anyhow::Result<Vec<ChildSpec>> {
        let local = &self.settings.local;
        let mut services = Vec::new();
        let mut stores = Vec::new();
        if self.is_kafka_local {
            let jars = match local.kafka_jars.as_str() {
                "" => touchstream_local_parts::kafka(progress)?.jars,
                given => PathBuf::from(given),
            };
            let mut options = KafkaOptions::new(jars, self.data_dir.join("kafka"), local.kafka_port);
            options.heap_mib = local.kafka_heap_mb;
            services.push(touchstream_local_kafka::child_spec(options));
            stores.push("kafka");
        }
        if self.is_clickhouse_local {
            let library = match local.clickhouse_library.as_str() {
                "" => touchstream_local_parts::clickhouse(progress)?,
                given => PathBuf::from(given),
            };
            let clickhouse = self
                .service("clickhouse", &["clickhouse"], &local.clickhouse_admin)
                .environment("TOUCHSTREAM__LOCAL__CLICKHOUSE_LIBRARY", library);
            services.push(clickhouse);
            stores.push("clickhouse");
        }
        let setup = ChildSpec::one_shot("setup", &self.program);
        services.push(self.told(setup, &["setup"]).depends_on(stores.clone()));
        // On the stores as well, not only on setup: they are stopped after everybody who needs them for a clean end.
        let needed = || stores.iter().copied().chain(["setup"]);
        let Settings { ingest, processor, sink, console, .. } = &self.settings;
        let always = [("ingest", &ingest.admin), ("processor", &processor.admin), ("sink", &sink.admin)];
        let console = self.has_console.then_some(("console", &console.admin));
        for (name, admin) in always.into_iter().chain(console) {
            services.push(self.service(name, &[name], admin).depends_on(needed()));
        }
        if self.is_demo {
            services.extend(self.demo()?);
        }
        Ok(services)
    }

    /// History first, then live traffic. History has the same start and seed until it was sent whole, so that after an
    /// interrupted first start the same events come again, which count once.
    fn demo(&self) -> anyhow::Result<Vec<ChildSpec>> {
        let address = format!("http://{}", self.settings.ingest.listen);
        let simulate = ["simulate", "--to", &address, "--key", "demo", "--json"];
        let services = ["ingest", "processor", "sink"];
        let live =
            ChildSpec::service("demo", &self.program).arguments(simulate).arguments(["--rate", DEMO_RATE]);
        let marker = self.demo_marker();
        if marker.with_extension("sent").exists() {
            return Ok(vec![live.depends_on(services)]);
        }
        let start = match std::fs::read_to_string(&marker) {
            Ok(start) => start,
            Err(_) => {
                let start = (EventTime::now() - Millis::DAY.times(DEMO_DAYS)).0.to_string();
                std::fs::write(&marker, &start)
                    .with_context(|| format!("failed to write {}", marker.display()))?;
                start
            }
        };
        let days = DEMO_DAYS.to_string();
        let history = ChildSpec::one_shot("demo-history", &self.program)
            .arguments(simulate)
            .arguments(["--days", &days, "--start", &start, "--events-per-day", DEMO_EVENTS_PER_DAY])
            .arguments(["--regression", DEMO_REGRESSION])
            .depends_on(services);
        Ok(vec![history, live.depends_on(services).depends_on(["demo-history"])])
    }

    fn demo_marker(&self) -> PathBuf {
        self.data_dir.join("demo-history")
    }

    /// Everything is up, the demo's history included: it is not sent again.
    pub(super) fn note_ready(&self) -> anyhow::Result<()> {
        if self.is_demo {
            let sent = self.demo_marker().with_extension("sent");
            std::fs::write(&sent, "").with_context(|| format!("failed to write {}", sent.display()))?;
        }
        Ok(())
    }

    fn service(&self, name: &str, arguments: &[&str], admin: &str) -> ChildSpec {
        self.told(ChildSpec::service(name, &self.program), arguments)
            .readiness(Readiness::Http(format!("http://{admin}/readyz")))
            .metrics_url(format!("http://{admin}/metrics"))
    }

    fn told(&self, spec: ChildSpec, arguments: &[&str]) -> ChildSpec {
        let mut spec = spec.arguments(arguments);
        if let Some(config) = &self.config {
            spec = spec.arguments([Path::new("--config"), config]);
        }
        self.overrides.iter().fold(spec, |spec, (name, value)| spec.environment(*name, value))
    }

    /// Tells a person what is there and what to try first.
    #[expect(clippy::print_stdout, reason = "what a person came for")]
    pub(super) fn greet(&self) {
        let Settings { ingest, console, clickhouse, local, .. } = &self.settings;
        let database = &clickhouse.database;
        let clickhouse_url = if self.is_clickhouse_local {
            format!("http://{}", local.clickhouse_listen)
        } else {
            clickhouse.url.clone()
        };
        println!();
        println!(
            "touchstream is ready; Ctrl-C stops everything, the data stays in {}",
            self.data_dir.display()
        );
        println!();
        // Keys and users that somebody else made are not ours to know.
        let has_own_keys = self.overrides.iter().any(|(name, _)| *name == "TOUCHSTREAM__INGEST__STATIC_KEYS");
        let (key, tenant) = if has_own_keys { ("shop", "shop") } else { ("KEY", "TENANT") };
        let (user, password) =
            if self.is_clickhouse_local { ("reader", "reader") } else { ("USER", "PASSWORD") };
        println!("  events       http://{}/v1/events   (write key {key})", ingest.listen);
        if has_own_keys {
            println!(
                "  web pages    <script async src=\"http://{}/touchstream.js\" data-key=\"{key}\"></script>   (pages of localhost; \
                 docs/browser.md)",
                ingest.listen
            );
        }
        if self.has_console {
            println!("  console      http://{}", console.listen);
        } else {
            println!(
                "  console      not started: set console.user and console.password_file to a reader of this ClickHouse"
            );
        }
        println!("  ClickHouse   {clickhouse_url}   (database {database}; user {user}, password {password})");
        println!("  health       http://{}/readyz and /metrics", local.admin);
        if self.is_demo {
            println!(
                "  demo         tenant demo: {DEMO_DAYS} days of history, in which payments failed on phones for half a day, and live traffic; its last \
                 windows follow within a minute"
            );
        }
        println!();
        println!("Send an answer to a survey, then ask for the score (windows follow within seconds):");
        println!();
        println!(
            "  curl http://{}/v1/events -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' -d \
             '{{\"type\":\"feedback.answered\",\"data\":{{\"survey_id\":\"nps\",\"metric\":\"nps\",\"score\":9}}}}'",
            ingest.listen
        );
        println!(
            "  curl '{clickhouse_url}/?user={user}&password={password}' --data-binary \"SELECT window, window_end, n, value, \
             ci_low, ci_high FROM {database}.nps WHERE tenant = '{tenant}' AND touchpoint = 'all' AND channel = 'all' AND device = \
             'all' ORDER BY window_end DESC LIMIT 5 FORMAT PrettyCompact\""
        );
        println!();
    }
}
