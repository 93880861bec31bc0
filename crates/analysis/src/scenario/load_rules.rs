//! What does not go with a way of offering claims: keys of `[load]` among each other, and variants, grants and
//! executions that a mode cannot have.

use super::checker::Checker;
use super::choices::{Mode, VariantPath};
use super::file::ScenarioFile;
use super::load_section::{ArrivalsForm, ModelForm};
use super::mixing::replays;

/// Longest time that a run waits for grants to expire.
const EXPIRY_WAIT_S: f64 = 300.0;

/// Checks all of them.
pub(super) fn combine(file: &ScenarioFile, checker: &mut Checker) {
    model(file, checker);
    length(file, checker);
    churn(file, checker);
    storm(file, checker);
    contenders(file, checker);
    unconsumed(file, checker);
}

fn model(file: &ScenarioFile, checker: &mut Checker) {
    let load = &file.load;
    match load.model {
        ModelForm::Open => {
            checker.require(load.concurrency.is_none(), "load.concurrency", || {
                "only for model = \"closed\"; in an open loop load.rate decides".into()
            });
            if let Some(ArrivalsForm::Trace(_)) = &load.arrivals {
                checker.require(load.rate.is_none(), "load.rate", || {
                    "a trace is replayed with its own gaps; leave load.rate out".into()
                });
            } else {
                checker.require(load.rate.is_some(), "load.rate", || {
                    "missing; model = \"open\" needs it, in claims per second".into()
                });
            }
            if let (Some(rate), Some(ArrivalsForm::Ramp(ramp))) = (load.rate, &load.arrivals) {
                checker.require(ramp.from < rate, "load.arrivals.ramp.from", || {
                    format!("{} is not below load.rate = {rate}, which the ramp climbs to", ramp.from)
                });
            }
            if let (Some(rate), Some(ArrivalsForm::Burst(burst))) = (load.rate, &load.arrivals) {
                let offered = f64::from(burst.size) / burst.every.0.as_secs_f64();
                checker.require((offered / rate - 1.0).abs() < 0.01, "load.rate", || {
                    format!(
                        "{rate} contradicts the bursts: {} every {} are {offered:.1} claims per second; \
                         set load.rate to that",
                        burst.size, burst.every
                    )
                });
            }
        }
        ModelForm::Closed => {
            checker.require(load.rate.is_none(), "load.rate", || {
                "only for model = \"open\"; in a closed loop load.concurrency decides".into()
            });
            checker.require(load.arrivals.is_none(), "load.arrivals", || {
                "only for model = \"open\"; a closed loop has no schedule".into()
            });
        }
    }
}

fn length(file: &ScenarioFile, checker: &mut Checker) {
    let load = &file.load;
    match (load.claims, load.duration) {
        (Some(_), Some(_)) => {
            checker.refuse("load.duration", "load.claims is given as well; keep one of the two");
        }
        // A storm is as long as its population, a trace as its file.
        (None, None) if load.mode == Mode::Storm || replays(file) => {}
        (None, None) => {
            checker.refuse("load", "needs a length: claims = 20000, or duration = \"30s\"");
        }
        (None, Some(_)) if replays(file) => checker.refuse(
            "load.duration",
            "a trace lasts as long as it lasts; leave it out, or take the first ones with load.claims",
        ),
        (None, Some(_)) if load.mode == Mode::Staged && load.model == ModelForm::Closed => checker.refuse(
            "load.duration",
            "a staged closed loop has to stock its grants before it starts, so it counts claims: use \
             load.claims, or mode = \"churn\"",
        ),
        _ => {}
    }
}

fn storm(file: &ScenarioFile, checker: &mut Checker) {
    let load = &file.load;
    if load.mode != Mode::Storm {
        return;
    }
    checker.require(load.model == ModelForm::Closed, "load.model", || {
        "a storm is worked off by workers, so it has no schedule; use model = \"closed\"".into()
    });
    for (given, key) in [(load.claims.is_some(), "load.claims"), (load.duration.is_some(), "load.duration")] {
        checker.require(!given, key, || {
            "a storm ends when every execution holds a lease; population.executions is its size".into()
        });
    }
    checker.require(load.warmup == 0, "load.warmup", || {
        "a storm resumes each execution once, so there is nothing to warm up with; leave it out".into()
    });
    checker.require(file.variants.len() == 1, "variant", || {
        "a storm has one: two ways of claiming would queue behind each other; run it once for each".into()
    });
}

fn churn(file: &ScenarioFile, checker: &mut Checker) {
    if file.load.mode == Mode::Staged {
        return;
    }
    for (n, variant) in file.variants.iter().enumerate() {
        let why = match variant.path {
            VariantPath::FirstClaim | VariantPath::BareFirstClaim => {
                "first claims take fresh executions, and here the same ones resume"
            }
            VariantPath::LeaseReclaim | VariantPath::SdkReclaim => {
                "reclaims take executions whose lease was lost, and here they are interrupted"
            }
            VariantPath::Fused => "fused needs no scanner, and here one is measured",
            _ => continue,
        };
        checker.refuse(format!("variant[{n}].path"), format!("{why}; use mode = \"staged\""));
    }
    checker.require(file.load.contenders == 1, "load.contenders", || {
        "several workers per grant need mode = \"staged\"".into()
    });
    checker.require(file.grant.unconsumed == 0.0, "grant.unconsumed", || {
        "leaving grants to expire needs mode = \"staged\"".into()
    });
}

fn contenders(file: &ScenarioFile, checker: &mut Checker) {
    if file.load.contenders < 2 {
        return;
    }
    if let Some(n) = file.variants.iter().position(|variant| variant.path == VariantPath::Fused) {
        checker.refuse(
            format!("variant[{n}].path"),
            "fused has no grant to race for; leave it out or set load.contenders = 1",
        );
    }
}

fn unconsumed(file: &ScenarioFile, checker: &mut Checker) {
    if file.grant.unconsumed == 0.0 {
        return;
    }
    checker.require(file.variants.len() == 1, "grant.unconsumed", || {
        "only with a single variant: late claims would end up in the comparison".into()
    });
    checker.require(!replays(file), "grant.unconsumed", || {
        "late claims come after the window, and as many arrivals at the end of a recorded trace would never be offered: use 0"
            .into()
    });
    if let Some(n) = file.variants.iter().position(|variant| variant.path == VariantPath::Fused) {
        checker.refuse(
            format!("variant[{n}].path"),
            "fused has no grant that could expire; set grant.unconsumed = 0",
        );
    }
    checker.require(file.grant.ttl.0.as_secs_f64() <= EXPIRY_WAIT_S, "grant.ttl", || {
        format!(
            "{} is too long with grant.unconsumed: the run waits until those grants have expired; \
             use at most 5m",
            file.grant.ttl
        )
    });
}
