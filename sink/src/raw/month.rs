//! The month of an event time as ClickHouse's `toYYYYMM` gives it: the partition of a raw table.

/// `202611` for a time in November 2026, UTC. Times outside 1900 to 2299, which ClickHouse does not hold, share the nearest month.
pub(crate) fn month_of(milliseconds: i64) -> u32 {
    let days = milliseconds.div_euclid(86_400_000).clamp(-25_567, 120_529);
    // Days since 0000-03-01, in eras of 400 years: years begin in March, so the leap day comes last.
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day = days.rem_euclid(146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let march_based = (5 * day_of_year + 2) / 153;
    let month = if march_based < 10 { march_based + 3 } else { march_based - 9 };
    let year = era * 400 + year + i64::from(month <= 2);
    u32::try_from(year * 100 + month).expect("years 1900 to 2299")
}

#[cfg(test)]
mod tests {
    use super::month_of;

    #[test]
    fn months_end_where_the_calendar_says() {
        for (milliseconds, month) in [
            (0, 197_001),
            (-1, 196_912),
            (951_782_400_000, 200_002),
            (951_868_799_999, 200_002),
            (951_868_800_000, 200_003),
            (1_795_344_401_000, 202_611),
            (1_798_761_599_999, 202_612),
            (1_798_761_600_000, 202_701),
            (i64::MAX, 229_912),
            (i64::MIN, 190_001),
        ] {
            assert_eq!(month_of(milliseconds), month, "{milliseconds}");
        }
    }
}
