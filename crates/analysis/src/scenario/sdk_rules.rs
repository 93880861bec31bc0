//! What does not go with claims that FlowFabric's SDK makes, in this process or in workers of their own.

use super::checker::Checker;
use super::choices::{Mode, VariantPath};
use super::file::ScenarioFile;
use super::load_section::ModelForm;
use super::metric::Metric;
use super::sdk_source::SdkSource;

/// Each key by itself: the names of SDKs can be read.
pub(super) fn check(file: &ScenarioFile, checker: &mut Checker) {
    for (n, variant) in file.variants.iter().enumerate() {
        if let Some(Err(what)) = variant.sdk.as_deref().map(SdkSource::parse) {
            checker.refuse(format!("variant[{n}].sdk"), what);
        }
    }
}

/// What FlowFabric's SDK does by itself cannot be changed from outside, nor seen.
pub(super) fn combine(file: &ScenarioFile, checker: &mut Checker) {
    duet(file, checker);
    let Some(first) = file.variants.iter().position(|variant| variant.path.is_sdk()) else { return };
    for (n, variant) in file.variants.iter().enumerate().filter(|(_, variant)| variant.path.is_sdk()) {
        let given = [
            (variant.library.is_some(), "library", "the functions of FlowFabric's own library"),
            (variant.instrumented, "instrumented", "the functions of FlowFabric's own library"),
            (variant.wait_replicas.is_some(), "wait_replicas", "what it sends, and WAIT is not among it"),
        ];
        for (given, key, what) in given {
            checker.require(!given, &format!("variant[{n}].{key}"), || {
                format!("not with an sdk path: the SDK calls {what}; leave it out")
            });
        }
    }
    let alone = [
        (file.load.contenders > 1, "load.contenders = 1", "how often a loser was refused"),
        (!file.faults.is_empty(), "no [[fault]]", "which redirects it followed and what it tried again"),
        (
            !file.load.network.added_rtt.0.is_zero(),
            "no load.network.added_rtt",
            "its replies to hold them back",
        ),
    ];
    for (given, needed, unseen) in alone {
        checker.require(!given, &format!("variant[{first}].path"), || {
            format!("needs {needed}: the SDK has a client of its own, and nobody outside sees {unseen}")
        });
    }
}

/// Workers of their own, each built against an SDK: one claim in flight, on servers that nobody else asks
/// anything.
fn duet(file: &ScenarioFile, checker: &mut Checker) {
    let Some(first) = file.variants.iter().position(|variant| variant.sdk.is_some()) else { return };
    let key = format!("variant[{first}].sdk");
    for (n, variant) in file.variants.iter().enumerate() {
        checker.require(variant.sdk.is_some(), &format!("variant[{n}].sdk"), || {
            format!(
                "missing: {} has one, and what its worker sends is what the servers counted beside nothing else; give every \
                 variant its SDK",
                file.variants[first].name
            )
        });
        let claims = matches!(variant.path, VariantPath::SdkResume | VariantPath::SdkGrant);
        checker.require(claims, &format!("variant[{n}].path"), || {
            "a worker of its own claims with \"sdk-resume\" or \"sdk-grant\": use one of them, or leave out sdk".into()
        });
    }
    checker.require(file.cluster.nodes.is_empty(), "cluster.nodes", || {
        format!(
            "{key} counts all that the servers were asked as the workers' own, which only holds on servers that this tool \
             starts: leave out the nodes"
        )
    });
    let load = &file.load;
    checker.require(load.mode == Mode::Staged, "load.mode", || {
        format!("{key} needs mode = \"staged\": elsewhere the servers' counts of claims and of what is beside them are one")
    });
    let alone = load.model == ModelForm::Closed && load.in_flight() == 1;
    checker.require(alone, "load.concurrency", || {
        format!("{key} is handed one grant after the other: use model = \"closed\" with concurrency = 1")
    });
    let of_time = file.compare.iter().flat_map(|compare| &compare.metrics);
    let rated = of_time.into_iter().any(|name| *name == Metric::Throughput.name());
    checker.require(!rated, "compare.metrics", || {
        format!(
            "no {} with {key}: the pipe to a worker is in the time between its claims; use service_mean",
            Metric::Throughput.name()
        )
    });
    checker.require(file.grant.unconsumed == 0.0, "grant.unconsumed", || {
        format!("{key} is for claims that succeed: leave out grants that expire")
    });
}

#[cfg(test)]
mod tests {
    use super::super::{Draft, Override, Shipped};

    fn refused(changes: &[(&str, &str)]) -> String {
        let shipped = Shipped::find("sdk-duet").unwrap();
        let set = |(key, value): &(&str, &str)| Override {
            shown: format!("--set {key}={value}"),
            key: (*key).to_owned(),
            value: Some((*value).to_owned()),
        };
        let changes: Vec<Override> = changes.iter().map(set).collect();
        match Draft::new(shipped.name, shipped.text).with(&changes).check() {
            Ok(_) => String::new(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn what_a_worker_of_its_own_cannot_do_is_refused_by_name() {
        assert_eq!(refused(&[]), "");
        for (key, value, word) in [
            ("load.concurrency", "4", "one grant after the other"),
            ("load.mode", "churn", "needs mode = \"staged\""),
            ("load.contenders", "2", "needs load.contenders = 1"),
            ("load.network.added_rtt", "1ms", "no load.network.added_rtt"),
            ("cluster.nodes", "[\"h:1\"]", "servers that this tool starts"),
            ("grant.unconsumed", "0.1", "grants that expire"),
            ("compare.metrics", "[\"throughput\"]", "the pipe to a worker is in the time"),
        ] {
            let error = refused(&[(key, value)]);
            assert!(error.contains(word), "{key}: {error}");
        }
        let open = refused(&[("load.model", "open"), ("load.rate", "100.0")]);
        assert!(open.contains("load.concurrency"), "{open}");
    }

    #[test]
    fn every_variant_has_an_sdk_and_claims_with_a_path_of_it() {
        let shipped = Shipped::find("sdk-duet").unwrap();
        let of = |from: &str, to: &str| {
            let text = shipped.text.replacen(from, to, 1);
            assert_ne!(text, shipped.text, "{from}");
            Draft::new(shipped.name, &text).check().map(|_| ()).map_err(|error| error.to_string())
        };
        assert!(of("sdk = \"0.15.0\"", "").unwrap_err().contains("variant[0].sdk: missing"));
        assert!(of("sdk = \"0.15.0\"", "sdk = \"0.15\"").unwrap_err().contains("not a whole version"));
        for path in ["grant-lane", "sdk-reclaim"] {
            let error = of("path = \"sdk-resume\"", &format!("path = \"{path}\"")).unwrap_err();
            assert!(error.contains("variant[0].path: a worker of its own claims with"), "{error}");
        }
        of("path = \"sdk-resume\"", "path = \"sdk-grant\"").unwrap();
    }
}
