//! What is measured of a peer.

use serde::Serialize;

use super::run::Outcome;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Metric {
    /// Units a second.
    Rate,
    /// CPU time of a unit.
    Cpu,
    /// Milliseconds that 99 of 100 operations stay below.
    P99,
    /// Bytes of memory a conn.
    Memory,
    /// How much of a core the measured process took: with less than all of one, the load was the limit.
    Busy,
    /// System calls of a unit, which are counted in runs of their own.
    Calls,
}

/// What figures count.
#[derive(Debug, PartialEq)]
pub(crate) struct Unit {
    /// In the singular.
    pub(crate) name: &'static str,
    /// How many operations, as a load counts them, are one.
    pub(crate) operations: f64,
    /// What its CPU time is given in.
    pub(crate) cpu: Time,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Time {
    Micros,
    Millis,
}

impl Metric {
    /// Those of one outcome.
    pub(crate) const MEASURED: [Metric; 5] =
        [Metric::Rate, Metric::Cpu, Metric::P99, Metric::Memory, Metric::Busy];

    /// Its figure in a round, if it was measured there.
    pub(crate) fn of(self, outcome: &Outcome, unit: &Unit) -> Option<f64> {
        let units = outcome.ops as f64 / unit.operations;
        match self {
            Metric::Rate => Some(units * 1e9 / outcome.wall_ns as f64),
            Metric::Cpu => Some(outcome.cpu_ns as f64 / unit.cpu.nanos() / units),
            Metric::P99 => outcome.p99_ns.map(|nanos| nanos as f64 / 1e6),
            Metric::Memory => outcome.rss_bytes.map(|bytes| bytes as f64 / units),
            Metric::Busy => Some(outcome.cpu_ns as f64 / outcome.wall_ns as f64),
            Metric::Calls => None,
        }
    }

    /// What heads its column.
    pub(crate) fn heading(self, unit: &Unit) -> String {
        let Unit { name, cpu, .. } = unit;
        match self {
            // Not a unit of which one says how many.
            Metric::Rate if *name == "GB" => "GB/s".to_owned(),
            Metric::Rate => format!("{name}s/s"),
            Metric::Cpu => format!("CPU {}/{name}", cpu.name()),
            Metric::P99 => "p99 ms".to_owned(),
            Metric::Memory => format!("bytes/{name}"),
            Metric::Busy => "cores".to_owned(),
            Metric::Calls => format!("calls/{name}"),
        }
    }

    /// What it is, in a sentence; nothing for what is not drawn.
    pub(crate) fn caption(self, unit: &Unit) -> Option<String> {
        let heading = self.heading(unit);
        match self {
            Metric::Rate => Some(format!("{heading}; more is better")),
            Metric::Cpu => Some(format!("{heading} of the measured process; less is better")),
            Metric::P99 => Some("milliseconds that 99 of 100 stayed below; less is better".to_owned()),
            Metric::Memory => Some(format!("{heading} of process memory; less is better")),
            Metric::Busy | Metric::Calls => None,
        }
    }

    /// Whether ratios of it say something.
    pub(crate) fn is_compared(self) -> bool {
        !matches!(self, Metric::Busy | Metric::Calls)
    }

    /// A figure as it is printed.
    pub(crate) fn print(self, figure: f64) -> String {
        match self {
            Metric::Memory => grouped(figure),
            _ if figure < 1000.0 => format!("{figure:.2}"),
            _ => grouped(figure),
        }
    }

    /// What it is, in a goal.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Metric::Rate => "rate",
            Metric::Cpu => "CPU per operation",
            Metric::P99 => "milliseconds at p99",
            Metric::Memory => "bytes of memory per conn",
            Metric::Busy => "cores",
            Metric::Calls => "system calls per operation",
        }
    }
}

impl Time {
    fn nanos(self) -> f64 {
        match self {
            Time::Micros => 1e3,
            Time::Millis => 1e6,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Time::Micros => "µs",
            Time::Millis => "ms",
        }
    }
}

/// 1234567 as 1,234,567.
fn grouped(figure: f64) -> String {
    let digits = format!("{figure:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        for (figure, text) in [(0.4, "0"), (999.6, "1,000"), (1_234_567.0, "1,234,567"), (12_345.0, "12,345")]
        {
            assert_eq!(grouped(figure), text);
        }
    }

    #[test]
    fn figures_are_of_units_not_of_operations() {
        let gigabytes = Unit { name: "GB", operations: 1e9, cpu: Time::Millis };
        let outcome =
            Outcome { ops: 500_000_000, wall_ns: 250_000_000, cpu_ns: 100_000_000, ..Outcome::default() };
        assert_eq!(Metric::Rate.of(&outcome, &gigabytes), Some(2.0));
        assert_eq!(Metric::Cpu.of(&outcome, &gigabytes), Some(200.0));
        assert_eq!(Metric::Busy.of(&outcome, &gigabytes), Some(0.4));
        assert_eq!(Metric::P99.of(&outcome, &gigabytes), None);
        assert_eq!(Metric::Rate.heading(&gigabytes), "GB/s");
        assert_eq!(Metric::Cpu.heading(&gigabytes), "CPU ms/GB");
    }
}
