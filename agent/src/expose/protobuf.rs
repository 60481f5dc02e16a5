//! Prometheus protobuf (delimited `MetricFamily` messages) with native and classic histograms.
//!
//! The messages are those of `prometheus-client`. Its registry would build a family's whole tree
//! first; here one metric exists at a time and is used again for the next. A family's bytes are a
//! header message followed by one message per metric: protobuf defines concatenated messages as
//! one, so no field is written by hand.

use prometheus_client::encoding::prometheus_protobuf::prometheus_data_model::{
    Bucket, BucketSpan, Counter, Gauge, Histogram as HistogramMessage, LabelPair, Metric,
    MetricFamily, MetricType,
};
use prost::Message;

use super::{
    classic,
    walk::{Encoder, Number},
};
use crate::{
    metric::{Desc, Kind, LabelValues, PREFIX},
    model::Histogram,
};
use hostlens_ebpf::bucket;

/// Breadth of the bucket around zero, 2⁻¹²⁸, as other clients have it. We have no sample there, but
/// only with it is a histogram without samples known as a native one.
const ZERO_THRESHOLD: f64 = 2.938_735_877_055_719e-39;
/// A gap of up to this many empty buckets is cheaper written out than as a new span.
const SHORT_GAP: usize = 2;

/// Writes one exposition.
pub(super) struct ProtobufEncoder {
    out: Vec<u8>,
    /// The family being written, as its length comes first.
    family: Vec<u8>,
    /// Identifying labels of all rows of the area.
    rows: Vec<Vec<LabelPair>>,
    /// The message of the current metric, inside an otherwise empty family.
    carrier: MetricFamily,
    /// Labels of the family beside the identifying ones, ready to be used again.
    spare: Vec<LabelPair>,
    histogram: HistogramMessage,
}

impl ProtobufEncoder {
    /// An encoder whose output will have about `expected` bytes.
    pub(super) fn new(expected: usize) -> Self {
        Self {
            out: Vec::with_capacity(expected),
            family: Vec::new(),
            rows: Vec::new(),
            carrier: MetricFamily::default(),
            spare: Vec::new(),
            histogram: HistogramMessage::default(),
        }
    }

    /// The finished exposition.
    pub(super) fn finish(self) -> Vec<u8> {
        self.out
    }

    fn metric(&mut self, desc: &Desc, row: usize, labels: &[&str], mut metric: Metric) -> Metric {
        let Some(identity) = self.rows.get_mut(row) else {
            return metric;
        };
        let identifying = identity.len();
        metric.label = std::mem::take(identity);
        for (name, value) in desc.labels.iter().zip(labels) {
            if !value.is_empty() {
                let mut pair = self.spare.pop().unwrap_or_default();
                set(&mut pair.name, name);
                set(&mut pair.value, value);
                metric.label.push(pair);
            }
        }
        self.carrier.metric.push(metric);
        append(&self.carrier, &mut self.family);
        let mut metric = self.carrier.metric.pop().unwrap_or_default();
        self.spare.extend(metric.label.drain(identifying..));
        *identity = std::mem::take(&mut metric.label);
        metric
    }
}

impl Encoder for ProtobufEncoder {
    fn begin_rows(&mut self) {
        self.rows.clear();
    }

    fn row(&mut self, names: &[&'static str], values: &LabelValues) {
        let labels = names.iter().zip(values.iter());
        self.rows.push(
            labels
                .filter(|(_, value)| !value.is_empty())
                .map(|(&name, value)| LabelPair {
                    name: name.to_owned(),
                    value: value.to_owned(),
                })
                .collect(),
        );
    }

    fn begin_family(&mut self, desc: &'static Desc) {
        let kind = match desc.kind {
            Kind::Counter => MetricType::Counter,
            Kind::Gauge => MetricType::Gauge,
            Kind::Histogram => MetricType::Histogram,
        };
        let header = MetricFamily {
            name: format!("{PREFIX}{}", desc.name),
            help: desc.help.to_owned(),
            r#type: kind.into(),
            metric: Vec::new(),
            unit: desc.unit.name().unwrap_or_default().to_owned(),
        };
        append(&header, &mut self.family);
    }

    fn number(&mut self, desc: &Desc, row: usize, labels: &[&str], value: Number) {
        let value = match value {
            Number::Whole(whole) => whole as f64,
            Number::Real(real) => real,
        };
        let metric = match desc.kind {
            Kind::Counter => Metric {
                counter: Some(Counter {
                    value,
                    ..Counter::default()
                }),
                ..Metric::default()
            },
            Kind::Gauge | Kind::Histogram => Metric {
                gauge: Some(Gauge { value }),
                ..Metric::default()
            },
        };
        self.metric(desc, row, labels, metric);
    }

    fn histogram(&mut self, desc: &Desc, row: usize, labels: &[&str], value: &Histogram) {
        let mut message = std::mem::take(&mut self.histogram);
        fill(&mut message, value);
        let metric = Metric {
            histogram: Some(message),
            ..Metric::default()
        };
        let metric = self.metric(desc, row, labels, metric);
        self.histogram = metric.histogram.unwrap_or_default();
    }

    fn end_family(&mut self) {
        // Neither call can fail: a Vec grows.
        let _ = prost::encode_length_delimiter(self.family.len(), &mut self.out);
        self.out.extend_from_slice(&self.family);
        self.family.clear();
    }
}

fn append(message: &MetricFamily, bytes: &mut Vec<u8>) {
    // A Vec grows, so there is always room.
    let _ = message.encode(bytes);
}

fn set(text: &mut String, value: &str) {
    text.clear();
    text.push_str(value);
}

/// Writes a histogram over the last one.
fn fill(message: &mut HistogramMessage, value: &Histogram) {
    message.sample_count = value.count();
    message.sample_sum = value.sum_ns() as f64 / 1e9;
    message.schema = bucket::SCHEMA;
    message.zero_threshold = ZERO_THRESHOLD;

    message.bucket.clear();
    let cumulative = classic::cumulative(value);
    message.bucket.extend(
        classic::bounds()
            .zip(cumulative)
            .map(|(upper_bound, count)| Bucket {
                cumulative_count: count,
                upper_bound,
                ..Bucket::default()
            }),
    );

    message.positive_span.clear();
    message.positive_delta.clear();
    let mut last = 0;
    let mut next = 0;
    for (slot, &count) in value.counts().iter().enumerate() {
        if count == 0 {
            continue;
        }
        match message.positive_span.last_mut() {
            Some(span) if slot - next <= SHORT_GAP => {
                span.length += (slot - next + 1) as u32;
                for _ in next..slot {
                    message.positive_delta.push(-last);
                    last = 0;
                }
            }
            Some(_) => message.positive_span.push(BucketSpan {
                offset: (slot - next) as i32,
                length: 1,
            }),
            // The first span begins at the index itself.
            None => message.positive_span.push(BucketSpan {
                offset: bucket::native_index(slot),
                length: 1,
            }),
        }
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        message.positive_delta.push(count - last);
        last = count;
        next = slot + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts by native index, read back from spans and deltas.
    fn read(message: &HistogramMessage) -> Vec<(i32, i64)> {
        let mut index = 0;
        let mut count = 0;
        let mut deltas = message.positive_delta.iter();
        let mut read = Vec::new();
        for span in &message.positive_span {
            index += span.offset;
            for _ in 0..span.length {
                count += deltas.next().copied().unwrap_or_default();
                read.push((index, count));
                index += 1;
            }
        }
        assert_eq!(deltas.next(), None);
        read.retain(|&(_, count)| count > 0);
        read
    }

    #[test]
    fn spans_and_deltas_hold_every_bucket() {
        let mut message = HistogramMessage::default();
        let mut histogram = Histogram::default();
        fill(&mut message, &histogram);
        assert!(message.positive_span.is_empty() && message.zero_threshold > 0.0);
        for (nth, slot) in [0, 1, 4, 8, 100, 101, 103, 216].into_iter().enumerate() {
            for _ in 0..=nth * 7 % 5 {
                histogram.record(bucket::UPPER_NS[slot]);
            }
        }
        // Filled twice, as the message is used again.
        fill(&mut message, &histogram);
        fill(&mut message, &histogram);
        let expected: Vec<_> = (0..bucket::COUNT)
            .map(|slot| (bucket::native_index(slot), histogram.counts()[slot] as i64))
            .filter(|&(_, count)| count > 0)
            .collect();
        assert_eq!(read(&message), expected);
        assert_eq!(message.sample_count, histogram.count());
        assert_eq!(message.bucket.len(), classic::COUNT);
    }
}
