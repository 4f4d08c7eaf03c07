//! How the table of metrics becomes fields, a registry and help texts.
//!
//! It names no metric.

use prometheus::{GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry, core::Collector};

/// One line of the table.
#[derive(Debug)]
pub struct Spec {
    /// The metric's name.
    pub name: &'static str,
    /// The field's doc comment.
    pub help: &'static str,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// The upper bounds of a histogram's buckets; none for other kinds.
    pub buckets: &'static [f64],
}

/// A kind of metric with labels.
pub(super) trait Kind: Collector + Clone + Sized + 'static {
    fn build(spec: &Spec) -> prometheus::Result<Self>;
}

impl Kind for IntCounterVec {
    fn build(spec: &Spec) -> prometheus::Result<Self> {
        Self::new(Opts::new(spec.name, spec.help), spec.labels)
    }
}

impl Kind for IntGaugeVec {
    fn build(spec: &Spec) -> prometheus::Result<Self> {
        Self::new(Opts::new(spec.name, spec.help), spec.labels)
    }
}

impl Kind for GaugeVec {
    fn build(spec: &Spec) -> prometheus::Result<Self> {
        Self::new(Opts::new(spec.name, spec.help), spec.labels)
    }
}

impl Kind for HistogramVec {
    fn build(spec: &Spec) -> prometheus::Result<Self> {
        Self::new(HistogramOpts::new(spec.name, spec.help).buckets(spec.buckets.to_vec()), spec.labels)
    }
}

/// A metric of a line, registered.
pub(super) fn register<K: Kind>(registry: &Registry, spec: &Spec) -> prometheus::Result<K> {
    let metric = K::build(spec)?;
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

/// Declares the table: doc comment, field, kind, name, labels, and a histogram's buckets.
macro_rules! metrics {
    ($($(#[doc = $help:literal])+ $field:ident: $kind:ty = $name:literal [$($label:ident),+] $(, $buckets:expr)?;)+) => {
        /// Every metric of a process.
        pub struct Metrics {
            registry: Registry,
            /// How many handles each partition's series have.
            lanes: Mutex<HashMap<[String; 3], usize>>,
            $($(#[doc = $help])+ $field: $kind,)+
        }

        /// The table, as data.
        pub const TABLE: &[table::Spec] = &[$(metrics!(@spec $name, concat!($($help),+), [$($label),+] $(, $buckets)?)),+];

        impl Metrics {
            /// An empty set of every metric, and those of the process.
            ///
            /// # Errors
            /// A name or label that Prometheus refuses.
            pub fn new() -> Result<Self, Fault> {
                let registry = Registry::new();
                registry.register(Box::new(ProcessCollector::for_self())).map_err(bug)?;
                $(let $field: $kind = table::register(&registry, &metrics!(@spec $name, concat!($($help),+), [$($label),+] $(, $buckets)?)).map_err(bug)?;)+
                Ok(Self { registry, lanes: Mutex::default(), $($field),+ })
            }
        }
    };
    (@spec $name:literal, $help:expr, [$($label:ident),+]) => { metrics!(@spec $name, $help, [$($label),+], &[]) };
    (@spec $name:literal, $help:expr, [$($label:ident),+], $buckets:expr) => {
        table::Spec { name: $name, help: $help.trim_ascii(), labels: &[$(stringify!($label)),+], buckets: $buckets }
    };
}
pub(super) use metrics;
