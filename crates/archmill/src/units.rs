//! Times and sizes as people write them.

use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};

/// Reads `90`, `90s`, `15m`, `6h`, `2d` (seconds without a unit).
pub(crate) fn duration(text: &str) -> anyhow::Result<Duration> {
    let (number, factor) = match text.strip_suffix(['s', 'm', 'h', 'd']) {
        Some(number) => (
            number,
            match text.as_bytes()[text.len() - 1] {
                b's' => 1,
                b'm' => 60,
                b'h' => 3600,
                _ => 86400,
            },
        ),
        None => (text, 1),
    };
    let number: u64 =
        number.trim().parse().map_err(|_| anyhow!("{text:?} is no time; write 90s, 15m, 6h or 2d"))?;
    let seconds = number.checked_mul(factor).with_context(|| format!("{text:?} is too long"))?;
    if seconds == 0 {
        bail!("no time at all is no limit; leave it out instead");
    }
    Ok(Duration::from_secs(seconds))
}

/// Reads `1000`, `500M`, `8G`, `1T`: bytes, in powers of 1024.
pub(crate) fn size(text: &str) -> anyhow::Result<u64> {
    let bare = text.trim_end_matches("iB").trim_end_matches('B');
    let (number, shift) = match bare.strip_suffix(['K', 'k', 'M', 'G', 'T']) {
        Some(number) => (
            number,
            match bare.as_bytes()[bare.len() - 1] {
                b'K' | b'k' => 10,
                b'M' => 20,
                b'G' => 30,
                _ => 40,
            },
        ),
        None => (bare, 0),
    };
    let number: u64 =
        number.trim().parse().map_err(|_| anyhow!("{text:?} is no size; write 500M, 8G or 1T"))?;
    number
        .checked_mul(1 << shift)
        .filter(|bytes| *bytes > 0)
        .with_context(|| format!("{text:?} is not a possible size"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_take_the_usual_units() {
        assert_eq!(duration("90").unwrap().as_secs(), 90);
        assert_eq!(duration("2h").unwrap().as_secs(), 7200);
        assert_eq!(size("8G").unwrap(), 8 << 30);
        assert_eq!(size("500MiB").unwrap(), 500 << 20);
        assert!(duration("soon").unwrap_err().to_string().contains("write 90s"));
        assert!(duration("0").is_err());
        assert!(size("99999999999T").is_err());
        assert!(size("").is_err());
    }
}
