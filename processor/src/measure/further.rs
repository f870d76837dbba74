//! Further dimensions: the values that an event has in the dimensions which its tenant is configured to be split by.

use touchstream_runtime::touchpoints::{FurtherDimension, Touchpoints};
use touchstream_schemas::event::{AppEvent, ChatEvent, CheckoutEvent, FeedbackEvent, UNKNOWN};
use touchstream_schemas::facts::FurtherValue;
use touchstream_schemas::time::EventTime;

use super::service_hours::is_served;

/// An event of any family, as far as its further dimensions go.
pub trait FurtherContext {
    /// Its tenant.
    fn tenant(&self) -> &str;
    /// Its touchpoint.
    fn touchpoint(&self) -> &str;
    /// Its time.
    fn time(&self) -> EventTime;
    /// Its value in a dimension, if one was sent.
    fn value(&self, dimension: FurtherDimension) -> Option<&str>;

    /// Its value in each dimension that the tenant is split by.
    fn further(&self, touchpoints: &Touchpoints) -> Vec<FurtherValue> {
        let dimensions = touchpoints.dimensions(self.tenant()).iter();
        let value = |dimension: &FurtherDimension| FurtherValue {
            dimension: dimension.name().to_owned(),
            value: match dimension {
                FurtherDimension::ServiceHours => {
                    let times = touchpoints.service_times(self.tenant(), self.touchpoint());
                    if is_served(times, self.time()) { "in" } else { "out" }
                }
                sent => self.value(*sent).unwrap_or(UNKNOWN),
            }
            .to_owned(),
        };
        dimensions.map(value).collect()
    }
}

macro_rules! further_context {
    ($($event:ident)*) => {
        $(impl FurtherContext for $event<'_> {
            fn tenant(&self) -> &str {
                self.tenant
            }
            fn touchpoint(&self) -> &str {
                self.touchpoint
            }
            fn time(&self) -> EventTime {
                self.time
            }
            fn value(&self, dimension: FurtherDimension) -> Option<&str> {
                match dimension {
                    FurtherDimension::Persona => self.persona,
                    FurtherDimension::Member => self.member.map(|member| if member { "true" } else { "false" }),
                    FurtherDimension::Locale => self.locale,
                    FurtherDimension::Variant => self.variant,
                    FurtherDimension::AppVersion => self.app_version,
                    FurtherDimension::ServiceHours => None,
                }
            }
        })*
    };
}

further_context! { CheckoutEvent ChatEvent FeedbackEvent AppEvent }
