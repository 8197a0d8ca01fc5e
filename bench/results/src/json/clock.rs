//! A time in the words of asctime(3), in UTC.

const DAY: u64 = 86_400;
const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [(&str, u64); 12] = [
    ("Jan", 31),
    ("Feb", 28),
    ("Mar", 31),
    ("Apr", 30),
    ("May", 31),
    ("Jun", 30),
    ("Jul", 31),
    ("Aug", 31),
    ("Sep", 30),
    ("Oct", 31),
    ("Nov", 30),
    ("Dec", 31),
];

/// `seconds` since 1970 as `Wed Nov 25 16:41:23 2026`.
pub(super) fn asctime(seconds: u64) -> String {
    let (days, second) = (seconds / DAY, seconds % DAY);
    let weekday = WEEKDAYS[(days % 7) as usize];
    let (mut year, mut day) = (1970, days);
    while day >= 365 + u64::from(is_leap(year)) {
        day -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let mut month = 0;
    while day >= length(month, year) {
        day -= length(month, year);
        month += 1;
    }
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let month = MONTHS[month].0;
    format!("{weekday} {month} {:2} {hour:02}:{minute:02}:{second:02} {year}", day + 1)
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn length(month: usize, year: u64) -> u64 {
    MONTHS[month].1 + u64::from(month == 1 && is_leap(year))
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
