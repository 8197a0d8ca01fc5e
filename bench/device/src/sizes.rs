//! Sizes of requests, as fio writes them.

use crate::error::Refusal;

/// Reads `4G`, `64MiB`, `512k` or plain bytes; suffixes are powers of 1024.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, suffix) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| format!("not a size: {text:?}"))?;
    let shift = match suffix.to_ascii_lowercase().trim_end_matches("ib").trim_end_matches('b') {
        "" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        "t" => 40,
        _ => return Err(format!("unknown suffix {suffix:?} in {text:?}: use K, M, G or T")),
    };
    number
        .checked_mul(1 << shift)
        .filter(|bytes| *bytes > 0)
        .ok_or_else(|| format!("size out of range: {text:?}"))
}

/// Sizes of requests with the share that each has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sizes {
    /// Bytes, and the sum of the percentages up to and with this one; the last is 100.
    steps: Vec<(u32, u32)>,
}

impl Sizes {
    pub(crate) fn one(bytes: u32) -> Self {
        Self { steps: vec![(bytes, 100)] }
    }

    /// `4k/60:64k/40`. What has no percentage shares what the others leave.
    pub(crate) fn parse(text: &str) -> Result<Self, Refusal> {
        let wrong = |why: String| Refusal::Value { option: "bssplit", value: text.into(), why };
        let mut parts = Vec::new();
        for part in text.split(':') {
            let (size, percent) = part.split_once('/').unwrap_or((part, ""));
            let size = parse_size(size).map_err(wrong)?;
            let size = u32::try_from(size).map_err(|_| wrong("4 GiB or more".into()))?;
            let percent = match percent {
                "" => None,
                percent => Some(
                    percent.parse::<u32>().map_err(|_| wrong(format!("{percent:?} of 100?")))?,
                ),
            };
            parts.push((size, percent));
        }
        let given: u64 = parts.iter().filter_map(|part| part.1).map(u64::from).sum();
        let open = parts.iter().filter(|part| part.1.is_none()).count() as u64;
        if given > 100 || (open == 0 && given != 100) {
            return Err(wrong(format!("the shares sum to {given} of 100")));
        }
        let left = 100 - given;
        let mut steps = Vec::with_capacity(parts.len());
        let (mut sum, mut nth) = (0, 0);
        for (size, percent) in parts {
            let share = percent.unwrap_or_else(|| {
                nth += 1;
                (left * nth / open - left * (nth - 1) / open) as u32
            });
            sum += share;
            steps.push((size, sum));
        }
        Ok(Self { steps })
    }

    /// The size for a number drawn from 0 to 99.
    pub(crate) fn pick(&self, drawn: u32) -> u32 {
        let step = self.steps.iter().find(|(_, up_to)| drawn < *up_to);
        step.unwrap_or(&self.steps[self.steps.len() - 1]).0
    }

    /// The only size, if it is.
    pub(crate) fn single(&self) -> Option<u32> {
        (self.steps.len() == 1).then(|| self.steps[0].0)
    }

    pub(crate) fn least(&self) -> u32 {
        self.all().min().unwrap_or(0)
    }

    pub(crate) fn most(&self) -> u32 {
        self.all().max().unwrap_or(0)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = u32> {
        self.steps.iter().map(|step| step.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(parse_size("4G"), Ok(4 << 30));
        assert_eq!(parse_size("64MiB"), Ok(64 << 20));
        assert_eq!(parse_size("512k"), Ok(512 << 10));
        assert_eq!(parse_size("77"), Ok(77));
        for bad in ["", "G", "4X", "0", "-1", "99999999T"] {
            assert!(parse_size(bad).is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn shares_are_as_written() {
        let sizes = Sizes::parse("4k/60:64k/40").expect("fio takes it");
        let picked: Vec<u32> = (0..100).map(|drawn| sizes.pick(drawn)).collect();
        assert_eq!(picked.iter().filter(|size| **size == 4096).count(), 60);
        assert_eq!(picked.iter().filter(|size| **size == 65536).count(), 40);
        assert_eq!((sizes.least(), sizes.most(), sizes.single()), (4096, 65536, None));
    }

    #[test]
    fn what_is_left_is_shared() {
        let sizes = Sizes::parse("4k/10:8k/:16k").expect("fio takes it");
        let count = |size| (0..100).filter(|drawn| sizes.pick(*drawn) == size).count();
        assert_eq!((count(4096), count(8192), count(16384)), (10, 45, 45));
    }

    #[test]
    fn wrong_splits_are_refused() {
        for bad in ["", "4k/60:8k/30", "4k/60:8k/50", "4k/x", "x/100", "8G/100"] {
            assert!(Sizes::parse(bad).is_err(), "{bad:?} was taken");
        }
    }
}
