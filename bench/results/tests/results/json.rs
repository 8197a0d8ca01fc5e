//! JSON: valid by the schema that is shipped, read back the same, and fio's where it says so.

use std::process::Command;
use std::time::{Duration, UNIX_EPOCH};

use crate::made_up::{Shape, phase, run};
use dray_results::{IoFailure, Kind, Results, Steady, Verified};
use serde_json::Value;

const SCHEMA: &str = include_str!("../../schema/run.schema.json");

fn full() -> Results {
    let mut ended = phase("ended early", Shape { seconds: 3, ..Shape::default() });
    ended.error = Some(IoFailure {
        kind: Kind::Read,
        target: "/dev/loop0".into(),
        offset: 1 << 40,
        length: 4096,
        errno: Some(5),
        cause: "Input/output error".into(),
        after: Duration::from_millis(2500),
    });
    ended.verified = Some(Verified {
        blocks: 10,
        covered: 8,
        wrong: 1,
        first_wrong: Some("4096: generation 1 where 2 was flushed".into()),
    });
    let mut open = phase("open loop", Shape { open: true, stall: Some(5), ..Shape::default() });
    open.steady = Some(Steady {
        criterion: "range 20 %, rise 10 % of the mean over 5 rounds".into(),
        attained: true,
        rounds: 6,
        window: vec![1.0, 1.1, 1.0, 0.9, 1.0],
        range: 0.2,
        rise: -0.02,
    });
    let mut nothing = phase("nothing", Shape { seconds: 0, ..Shape::default() });
    nothing.runtime = Duration::ZERO;
    let mut run = run("n1", vec![phase("closed", Shape::default()), open, ended, nothing]);
    run.partial = Some("interrupted".into());
    Results::of_one(run)
}

fn written(results: &Results) -> String {
    results.to_json(UNIX_EPOCH + Duration::from_secs(1_800_000_100))
}

pub(crate) fn assert_valid(text: &str) {
    let schema: Value = serde_json::from_str(SCHEMA).expect("the schema is JSON");
    let schema = jsonschema::validator_for(&schema).expect("the schema is one");
    let value: Value = serde_json::from_str(text).expect("JSON");
    let errors: Vec<String> = schema
        .iter_errors(&value)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

#[test]
fn written_json_is_valid_by_the_schema() {
    assert_valid(&written(&full()));
    assert_valid(&written(&Results::of_one(run("n1", Vec::new()))));
}

#[test]
fn the_schema_refuses_what_is_wrong() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let good: Value = serde_json::from_str(&written(&full())).unwrap();
    for (pointer, bad) in [
        ("/jobs/0/read/iops", Value::from("fast")),
        ("/jobs/0/read/total_ios", Value::from(-1)),
        ("/jobs/0/dray/total/read/service", Value::from("AAAA")),
        ("/dray/format", Value::from(2)),
    ] {
        let mut value = good.clone();
        *value.pointer_mut(pointer).expect(pointer) = bad;
        assert!(!schema.is_valid(&value), "{pointer} was taken");
    }
}

#[test]
fn read_back_it_is_the_same() {
    let before = full();
    let text = written(&before);
    let after = Results::from_json(&text).expect("what was written");
    assert_eq!(written(&after), text);
    assert_eq!(after.run.partial.as_deref(), Some("interrupted"));
    for (one, other) in before.run.phases.iter().zip(&after.run.phases) {
        assert_eq!(one.started, other.started);
        assert_eq!(one.error, other.error);
        assert_eq!(one.intervals.len(), other.intervals.len());
        for kind in Kind::ALL {
            let (one, other) = (one.total.of(kind), other.total.of(kind));
            assert_eq!(one.service.histogram(), other.service.histogram());
            assert_eq!(one.response().histogram(), other.response().histogram());
            assert_eq!(one.from_intended.is_some(), other.from_intended.is_some());
        }
    }
}

/// The figures under fio's names, from the counts they stand for.
#[test]
fn figures_are_those_of_the_phase() {
    let results = full();
    let value: Value = serde_json::from_str(&written(&results)).unwrap();
    let (phase, job) = (&results.run.phases[1], &value["jobs"][1]);
    let (read, ours) = (&job["read"], &phase.total.read);
    assert_eq!(read["total_ios"], ours.ios);
    assert_eq!(read["io_bytes"], ours.bytes);
    assert_eq!(read["iops"], ours.ios as f64 / 12.0);
    assert_eq!(read["bw_bytes"], ours.bytes / 12);
    assert_eq!(read["clat_ns"]["percentile"]["99.900000"], ours.service.quantile(0.999));
    assert_eq!(read["lat_ns"]["percentile"]["99.900000"], ours.response().quantile(0.999));
    assert!(ours.response().quantile(0.999) > 50 * ours.service.quantile(0.999));
    assert_eq!(read["iops_samples"], 12);
    assert_eq!((&job["usr_cpu"], &job["ctx"]), (&Value::from(12.0), &Value::from(21)));
    let classes = ["latency_ns", "latency_us", "latency_ms"];
    let shares = classes.iter().flat_map(|name| job[name].as_object().unwrap().values());
    let sum: f64 = shares.map(|share| share.as_f64().unwrap()).sum();
    assert!((sum - 100.0).abs() < 1e-6, "{sum}");
    assert_eq!(value["jobs"][2]["error"], 5);
    assert_eq!(value["jobs"][3]["read"]["iops"], 0.0);
}

#[test]
fn bad_files_are_refused_with_the_reason() {
    let text = written(&full());
    let refused = |text: &str| Results::from_json(text).expect_err("is no result").to_string();
    assert!(refused("").contains("no JSON object of results"));
    assert!(refused(&text[..text.len() / 2]).contains("no JSON object of results"));
    assert!(refused(&text.replacen("\"format\": 1", "\"format\": 7", 1)).contains("later dray"));
    let mut cut: Value = serde_json::from_str(&text).unwrap();
    let service = cut.pointer_mut("/jobs/0/dray/total/read/service").unwrap();
    *service = Value::from(&service.as_str().unwrap()[..40]);
    let why = refused(&cut.to_string());
    assert!(why.contains("job closed: a histogram of its read latencies"), "{why}");
}

/// Names that fio has only in some versions or modes, or not at all.
const OWN_OR_OPTIONAL: [&str; 6] =
    ["dray", "hostname", "job_start", "99.995000", "99.999000", "job options"];

/// Every name that is said to be fio's is in fio's own file, with the same type.
#[test]
fn shared_names_are_in_the_output_of_fio() {
    let dir = tempfile::tempdir().unwrap();
    let job = dir.path().join("job.fio");
    std::fs::write(&job, "[global]\nbs=4k\nsize=1m\nruntime=1\n[closed]\nrw=randrw\nfsync=8\n")
        .unwrap();
    let fio = Command::new("fio")
        .current_dir(dir.path())
        .args([
            "--output-format=json",
            "--percentile_list=1:5:10:20:30:40:50:60:70:80:90:95:99:99.5:99.9:99.95:99.99",
        ])
        .args(["--clat_percentiles=1", "--lat_percentiles=1"])
        .arg(&job)
        .output();
    let Ok(output) = fio else {
        println!("skipped: fio is not there (Debian: apt-get install fio)");
        return;
    };
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    let theirs: Value = serde_json::from_str(&text[text.find('{').unwrap()..]).unwrap();
    let ours: Value = serde_json::from_str(&written(&full())).unwrap();
    let mut missing = Vec::new();
    for name in ["timestamp", "timestamp_ms", "time", "global options"] {
        shared(&ours[name], &theirs[name], name, &mut missing);
    }
    // The second has response times of their own.
    shared(&ours["jobs"][1], &theirs["jobs"][0], "jobs", &mut missing);
    assert!(missing.is_empty(), "{missing:#?}");
}

fn shared(ours: &Value, theirs: &Value, at: &str, missing: &mut Vec<String>) {
    let kind = |value: &Value| match value {
        Value::Object(_) => "object",
        Value::Array(_) => "array",
        Value::String(_) => "string",
        Value::Number(number) if number.is_f64() => "number with a fraction",
        Value::Number(_) => "integer",
        Value::Bool(_) => "boolean",
        Value::Null => "nothing",
    };
    if kind(ours) != kind(theirs) {
        missing.push(format!("{at}: {} here, {} there", kind(ours), kind(theirs)));
        return;
    }
    let Value::Object(ours) = ours else { return };
    for (name, value) in ours {
        if !OWN_OR_OPTIONAL.contains(&name.as_str()) {
            shared(value, &theirs[name], &format!("{at}/{name}"), missing);
        }
    }
}
