//! A time in the words of asctime(3), in UTC.

use time::OffsetDateTime;

/// `seconds` since 1970 as `Wed Nov 25 16:41:23 2026`.
pub(super) fn asctime(seconds: u64) -> String {
    // Beyond the year 9999 nobody knows.
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    let Ok(at) = OffsetDateTime::from_unix_timestamp(seconds) else { return String::new() };
    let (weekday, month) = (at.weekday().to_string(), at.month().to_string());
    let (hour, minute, second) = at.to_hms();
    format!(
        "{} {} {:2} {hour:02}:{minute:02}:{second:02} {}",
        &weekday[..3],
        &month[..3],
        at.day(),
        at.year()
    )
}

#[cfg(test)]
mod tests {
    use super::asctime;

    /// Expected values are those of `date -u -d @SECONDS`.
    #[test]
    fn known_times() {
        assert_eq!(asctime(0), "Thu Jan  1 00:00:00 1970");
        assert_eq!(asctime(951_826_199), "Tue Feb 29 12:09:59 2000");
        assert_eq!(asctime(1_795_624_883), "Wed Nov 25 16:41:23 2026");
        assert_eq!(asctime(4_107_542_399), "Sun Feb 28 23:59:59 2100");
        assert_eq!(asctime(4_107_542_400), "Mon Mar  1 00:00:00 2100");
    }
}
