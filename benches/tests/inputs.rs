//! The benchmarks measure what their names say: every input takes its path, and the yardstick keeps the
//! contract.

#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeSet;

use ff_core::partition::{Partition, PartitionFamily, PartitionKey, PartitionKeyParseError};
use ff_core::types::ExecutionId;
use proptest::prelude::*;
use reclaim_analysis::record::Recorder;
use reclaim_bench::flowfabric::{ReadAttemptIndex, ReclaimGrant, Request};
use reclaim_bench::valkey::{reply_len, request_len};
use support::cases::{self, Path, mix_cases, path_taken, single_cases};
use support::claims::{self, Claim};
use support::inputs::{self, CLAIMS, POOL};
use support::parser::{Allocating, Floor, Parser, Shipped};

#[test]
fn every_key_of_a_case_takes_the_path_that_the_case_names() {
    for case in single_cases() {
        for key in case.keys() {
            assert_eq!(path_taken(&key, &key.parse()), case.path, "{} with {key}", case.name);
        }
    }
}

#[test]
fn every_family_width_and_error_has_a_case() {
    let paths: Vec<Path> = single_cases().into_iter().map(|case| case.path).collect();
    for family in [PartitionFamily::Flow, PartitionFamily::Budget, PartitionFamily::Quota] {
        for digits in 1..=5 {
            assert!(paths.contains(&Path::Valid(family, digits)), "{family:?} with {digits} digits");
        }
    }
    for error in [
        Path::MissingBraces,
        Path::MalformedBody,
        Path::UnknownPrefix,
        Path::IndexNotANumber,
        Path::IndexTooLarge,
    ] {
        assert!(paths.contains(&error), "{error:?}");
    }
    let names: BTreeSet<String> = single_cases().into_iter().map(|case| case.name).collect();
    assert_eq!(names.len(), paths.len(), "two cases share a name");
}

#[test]
fn pools_are_full_varied_and_the_same_every_time() {
    for case in single_cases().into_iter().chain(mix_cases()) {
        let keys = case.keys();
        assert_eq!(keys.len(), POOL);
        assert_eq!(keys, case.keys(), "{}", case.name);
        let distinct = keys.iter().map(PartitionKey::as_str).collect::<BTreeSet<_>>().len();
        assert!(distinct >= 10, "{} draws only {distinct} different keys", case.name);
    }
}

#[test]
fn the_mix_of_claims_is_the_default_partitions() {
    for key in cases::case("mix/claims").keys() {
        let partition = key.parse().unwrap();
        assert_eq!(partition.family, PartitionFamily::Flow);
        assert!(partition.index < 256, "{key}");
    }
}

#[test]
fn the_mix_of_all_meets_every_path() {
    let keys = cases::case("mix/all").keys();
    let broken = keys.iter().filter(|key| key.parse().is_err()).count();
    assert!((POOL / 100..POOL * 3 / 100).contains(&broken), "{broken} of {POOL} are broken");
    let taken: Vec<Path> = keys.iter().map(|key| path_taken(key, &key.parse())).collect();
    for case in single_cases() {
        assert!(taken.contains(&case.path), "{} does not occur", case.name);
    }
}

#[test]
fn an_execution_partition_comes_back_as_flow() {
    for partition in
        inputs::pool("alias-collapse", |rng| inputs::partition(rng, PartitionFamily::Execution, 3))
    {
        assert_eq!(partition.family, PartitionFamily::Execution);
        let back = PartitionKey::from(&partition).parse();
        assert_eq!(back, Ok(Partition { family: PartitionFamily::Flow, index: partition.index }));
    }
}

#[test]
fn pooled_grants_are_whole() {
    for grant in inputs::pool("grants", inputs::grant) {
        let wire = support::grant_to_wire(&grant);
        assert_eq!(serde_json::from_str::<ReclaimGrant>(&wire).unwrap(), grant);
        let partition = grant.partition().unwrap();
        assert_eq!(partition.index, grant.execution_id.partition());
        assert_eq!(ExecutionId::parse(grant.execution_id.as_str()).unwrap(), grant.execution_id);
        assert!(grant.grant_key.contains(&partition.hash_tag()), "{}", grant.grant_key);
    }
}

#[test]
fn pooled_claims_are_what_a_claim_sends_and_gets() {
    let topology = claims::topology();
    let pool = Claim::pool();
    assert_eq!(pool.len(), CLAIMS);
    let mut recorder = Recorder::new(1, []);
    let mut owners = BTreeSet::new();
    for claim in &pool {
        let words: Vec<Vec<u8>> = claim.fcall.args_iter().map(|arg| word(&arg)).collect();
        assert_eq!(words.len(), 3 + 11 + 8, "11 keys and 8 arguments");
        assert_eq!(&words[..3], [b"FCALL".as_slice(), b"ff_claim_resumed_execution", b"11"]);
        let tag = claim.partition.hash_tag().into_bytes();
        assert!(words[3..14].iter().all(|key| key.windows(tag.len()).any(|part| part == tag)));
        assert_eq!(claim.fcall().get_packed_command(), claim.fcall.get_packed_command());
        assert_eq!(request_len(&claim.fcall), claim.fcall.get_packed_command().len());
        assert_eq!(reply_len(&claim.fcall_reply), claim.fcall_wire.len());
        let lease = claim.read_fcall_reply().unwrap();
        assert_eq!(words[19], lease.lease_id.to_string().into_bytes(), "the lease that was asked for");
        let index = redis::parse_redis_value(&claim.hget_wire).unwrap();
        assert_eq!(ReadAttemptIndex::parse(&index).unwrap(), Some(lease.attempt_index));
        assert_eq!(claim.hget().args_iter().len(), 3);
        owners.insert(topology.owner_of(claim.partition));
        claim.record(&mut recorder);
    }
    assert_eq!(owners.len(), 3, "claims go to every primary");
    assert_eq!(recorder.arms()[0].service.count(), CLAIMS as u64);
}

fn word(arg: &redis::Arg<&[u8]>) -> Vec<u8> {
    match arg {
        redis::Arg::Simple(bytes) => bytes.to_vec(),
        _ => panic!("a claim has no cursor"),
    }
}

fn agree(text: &str) -> Result<(), TestCaseError> {
    let key = inputs::key_from_wire(text);
    let shipped = Shipped::parse(&key);
    prop_assert_eq!(&Floor::parse(&key), &shipped, "floor on {:?}", text);
    prop_assert_eq!(&Allocating::parse(&key), &shipped, "allocating on {:?}", text);
    Ok(())
}

#[test]
fn all_parsers_agree_on_every_pool_and_on_the_corners() {
    let corners = [
        "",
        "{",
        "}",
        "{}",
        "}{",
        "{{}}",
        "{:}",
        "{fp:}",
        "{fp:+}",
        "{fp:+7}",
        "{fp:++7}",
        "{fp:-0}",
        "{fp:-7}",
        "{fp:007}",
        "{fp:00000000000000000065535}",
        "{fp:65535}",
        "{fp:65536}",
        "{fp:4294967297}",
        "{fp:7:8}",
        "{fp::7}",
        "{:7}",
        "{f:7}",
        "{FP:7}",
        "{fp :7}",
        "{fp: 7}",
        "{b:1}}",
        "{{b:1}",
        "{bb:1}",
        "{q:٣}",
        "{é:1}",
        "{fp:7} ",
        "{b7}",
        "{q}",
    ];
    for text in corners {
        agree(text).unwrap_or_else(|error| panic!("{error}"));
    }
    for case in single_cases().into_iter().chain(mix_cases()) {
        for key in case.keys() {
            agree(key.as_str()).unwrap_or_else(|error| panic!("{error}"));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn all_parsers_agree_on_what_flowfabric_makes(family in 0..4usize, index: u16) {
        let family = [
            PartitionFamily::Flow, PartitionFamily::Execution, PartitionFamily::Budget, PartitionFamily::Quota,
        ][family];
        let key = PartitionKey::from(Partition { family, index });
        prop_assert_eq!(Floor::parse(&key).map(|p| p.index), Ok(index));
        agree(key.as_str())?;
    }

    #[test]
    fn all_parsers_agree_near_a_key(text in r"\{?(fp|b|q|f|p|fpb|[a-z]{0,3}):?:?[+-]?[0-9]{0,7}[a-z+ :]?\}?") {
        agree(&text)?;
    }

    #[test]
    fn all_parsers_agree_on_anything(text in any::<String>()) {
        agree(&text)?;
    }

    #[test]
    fn all_parsers_agree_on_anything_in_braces(text in r"\{[fpbq0-9:+{}\-]{0,10}\}") {
        agree(&text)?;
    }
}

#[test]
fn parsing_errors_carry_what_was_wrong() {
    let parse = |text: &str| Floor::parse(&inputs::key_from_wire(text));
    assert_eq!(parse("{zz:1}"), Err(PartitionKeyParseError::UnknownFamilyPrefix("zz".into())));
    assert_eq!(parse("{fp:65536}"), Err(PartitionKeyParseError::InvalidIndex("65536".into())));
}
