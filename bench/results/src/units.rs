//! Figures for people.

/// A latency in ns, with three or four digits.
pub(crate) fn time(ns: f64) -> String {
    match ns {
        _ if !ns.is_finite() => "-".to_owned(),
        _ if ns < 1e3 => format!("{ns:.0} ns"),
        _ if ns < 1e6 => format!("{} µs", digits(ns / 1e3)),
        _ if ns < 1e9 => format!("{} ms", digits(ns / 1e6)),
        _ => format!("{} s", digits(ns / 1e9)),
    }
}

/// Bytes per second.
pub(crate) fn bandwidth(bytes: f64) -> String {
    match bytes {
        _ if !bytes.is_finite() => "-".to_owned(),
        _ if bytes < f64::from(1 << 20) => format!("{} KiB/s", digits(bytes / 1024.0)),
        _ if bytes < f64::from(1 << 30) => format!("{} MiB/s", digits(bytes / f64::from(1 << 20))),
        _ => format!("{} GiB/s", digits(bytes / f64::from(1 << 30))),
    }
}

/// A count or rate, with its thousands apart.
pub(crate) fn count(value: f64) -> String {
    if !value.is_finite() {
        return "-".to_owned();
    }
    if value < 100.0 && value.fract() != 0.0 {
        return digits(value);
    }
    let digits = format!("{value:.0}");
    let groups: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .map(|group| str::from_utf8(group).unwrap_or(""))
        .collect();
    groups.join(",")
}

fn digits(value: f64) -> String {
    match value {
        _ if value < 10.0 => format!("{value:.2}"),
        _ if value < 100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures() {
        assert_eq!(time(999.0), "999 ns");
        assert_eq!(time(81_240.0), "81.2 µs");
        assert_eq!(time(512e6), "512 ms");
        assert_eq!(time(3600e9), "3600 s");
        assert_eq!(bandwidth(1.5 * 1024.0 * 1024.0), "1.50 MiB/s");
        assert_eq!(count(1_234_567.0), "1,234,567");
        assert_eq!((count(12.0), count(0.25)), ("12".to_owned(), "0.25".to_owned()));
        assert_eq!(count(f64::NAN), "-");
    }
}
