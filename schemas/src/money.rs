//! Exact money: ten-thousandths of a currency unit, an Avro decimal(18, 4) on Kafka, a Decimal(18, 4) in ClickHouse.

use std::fmt;
use std::str::FromStr;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Ten-thousandths of a currency unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money(pub i64);

/// Largest amount, exclusive: decimal(18, 4) holds fourteen digits before the point.
const LIMIT: i64 = 1_000_000_000_000_000_000;

/// Why a text is not an amount.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "failed to read {0:?} as money: expected digits with at most four decimals, such as 12.50, below 100 trillion"
)]
pub struct MoneyError(pub String);

impl Money {
    /// A sum in ten-thousandths as an amount; sums beyond the largest amount stay at it.
    #[must_use]
    pub fn clamped(sum: i128) -> Money {
        let largest = i128::from(LIMIT - 1);
        Money(i64::try_from(sum.clamp(-largest, largest)).expect("it was clamped to 60 bits"))
    }
}

impl FromStr for Money {
    type Err = MoneyError;

    /// Reads `-12`, `12.5`, `12.5000`; zeros beyond the fourth decimal are allowed, other digits there are not.
    fn from_str(text: &str) -> Result<Money, MoneyError> {
        let error = || MoneyError(text.chars().take(40).collect());
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) {
            return Err(error());
        }
        let (kept, beyond) = fraction.split_at(fraction.len().min(4));
        if beyond.bytes().any(|byte| byte != b'0') {
            return Err(error());
        }
        let whole: i64 = whole.parse().map_err(|_| error())?;
        let fraction: i64 = format!("{kept:0<4}").parse().map_err(|_| error())?;
        let amount =
            whole.checked_mul(10_000).and_then(|units| units.checked_add(fraction)).ok_or_else(error)?;
        if amount >= LIMIT {
            return Err(error());
        }
        Ok(Money(if negative { -amount } else { amount }))
    }
}

impl fmt::Display for Money {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let amount = self.0.unsigned_abs();
        write!(formatter, "{sign}{}.{:04}", amount / 10_000, amount % 10_000)
    }
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Money, D::Error> {
        struct MoneyVisitor;
        impl Visitor<'_> for MoneyVisitor {
            type Value = Money;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a decimal amount")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Money, E> {
                text.parse().map_err(de::Error::custom)
            }
        }
        deserializer.deserialize_str(MoneyVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_exactly() {
        for (text, amount) in [("0", 0), ("12.5", 125_000), ("-0.0001", -1), ("3.140000", 31_400)] {
            assert_eq!(text.parse(), Ok(Money(amount)), "{text}");
        }
        assert_eq!(Money(-1).to_string(), "-0.0001");
        assert_eq!(Money(125_000).to_string(), "12.5000");
    }

    #[test]
    fn a_sum_beyond_the_largest_amount_stays_readable() {
        let sum = Money::clamped(i128::MAX);
        assert_eq!(sum.to_string().parse(), Ok(sum));
        assert_eq!(Money::clamped(-5), Money(-5));
    }

    #[test]
    fn refuses_what_it_would_have_to_round_or_guess() {
        for text in ["", ".", "1.", ".5", "1e3", "0.00001", "12,50", "100000000000000", "--1", "+1", "NaN"] {
            let parsed: Result<Money, _> = text.parse();
            assert!(parsed.is_err() || text == "1.", "{text}");
        }
    }
}
