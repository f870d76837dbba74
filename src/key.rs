//! `touchstream key create`: makes a write key and prints it once.

use std::path::Path;

use clap::{Args, Subcommand};
use touchstream_ingest::{CreateKeyError, NewKey, create_key};
use touchstream_runtime::settings;

use crate::error::{CommandError, failed};

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a write key, print it once, store its hash.
    #[command(
        after_help = "Examples:\n  touchstream key create --tenant shop --source backend\n  touchstream key create \
                      --tenant shop --source web --browser --origin https://shop.example --families checkout,feedback"
    )]
    Create(CreateOptions),
}

#[derive(Debug, Args)]
pub(crate) struct CreateOptions {
    /// Tenant that the key's events belong to.
    #[arg(long, value_name = "T")]
    tenant: String,
    /// Name of the sender; event ids are unique within tenant and source.
    #[arg(long, value_name = "S")]
    source: String,
    /// For web pages: may stand in the URL; events need consent.
    #[arg(long)]
    browser: bool,
    /// Origin that pages may send from; may be repeated.
    #[arg(long, value_name = "O", requires = "browser")]
    origin: Vec<String>,
    /// Families that the key may send, separated by commas [default: all].
    #[arg(long, value_name = "F", value_delimiter = ',')]
    families: Vec<String>,
    /// Events a second and instance that the key may send, 0 for no limit [default: as configured].
    #[arg(long, value_name = "N")]
    events_per_second: Option<u64>,
    /// Bytes a second and instance, after decompression, 0 for no limit [default: as configured].
    #[arg(long, value_name = "N")]
    bytes_per_second: Option<u64>,
    /// Seconds of these rates that may come at once [default: as configured].
    #[arg(long, value_name = "N")]
    burst_seconds: Option<u64>,
}

/// Makes the key.
#[expect(clippy::print_stdout, reason = "the key is this command's output")]
pub(crate) async fn create(config: Option<&Path>, options: CreateOptions) -> Result<(), CommandError> {
    let settings = settings::load(config)?.settings;
    let new = NewKey {
        tenant: options.tenant,
        source: options.source,
        browser: options.browser,
        origins: options.origin,
        families: options.families,
        events_per_s: options.events_per_second,
        bytes_per_s: options.bytes_per_second,
        burst_s: options.burst_seconds,
        ..NewKey::default()
    };
    match create_key(&settings, new).await {
        Ok(key) => {
            eprintln!("This key is shown once; only its hash is stored.");
            println!("{key}");
            Ok(())
        }
        Err(error @ CreateKeyError::Invalid { .. }) => Err(CommandError::Usage(error.into())),
        Err(error) => Err(failed(error)),
    }
}
